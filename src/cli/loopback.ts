/**
 * A server for one user on this machine. Loopback is no access control: every local user and every page in the browser
 * can reach it. So each address begins with a random token, Host must be the loopback's (no rebound name), a foreign
 * Origin is refused, and no answer carries a CORS header.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { err, ok, type Result } from "../base/result.js";

export interface Answer {
  readonly type: string;
  readonly body: string | Uint8Array;
  /** Offered for saving under this name. */
  readonly fileName?: string;
}

/** Answers a path below the token, without its first slash; null where there is nothing. */
export type Handler = (method: "GET" | "POST", path: string) => Answer | null | Promise<Answer | null>;

export interface Loopback {
  /** With the token, and a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

/** Listens on `port` of 127.0.0.1, any free one if 0. The error is a sentence. */
export async function startLoopback(handler: Handler, port: number): Promise<Result<Loopback, string>> {
  const token = randomBytes(24).toString("base64url");
  const server = createServer((request, response) => {
    answer(request, response, server, token, handler).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  const failed = await new Promise<NodeJS.ErrnoException | null>((done) => {
    server.once("error", done);
    server.listen(port, HOST, () => done(null));
  });
  if (failed !== null) return err(listenProblem(failed, port));
  return ok({
    url: `http://${HOST}:${portOf(server)}/${token}/`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  });
}

function listenProblem(error: NodeJS.ErrnoException, port: number): string {
  if (error.code === "EADDRINUSE") {
    return `port ${port} of ${HOST} is taken by another program: choose another with --port, or leave --port out`;
  }
  if (error.code === "EACCES") return `port ${port} may not be listened on by this user: choose one above 1023`;
  return `${HOST} cannot be listened on: ${error.message}`;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  server: Server,
  token: string,
  handler: Handler,
): Promise<void> {
  const port = portOf(server);
  const hosts = [`${HOST}:${port}`, `localhost:${port}`];
  const refuse = (status: number): void => {
    response.writeHead(status, { "content-type": "text/plain" }).end();
  };
  if (!hosts.includes(request.headers.host ?? "")) return refuse(403);
  const { origin } = request.headers;
  if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`)) return refuse(403);
  // Says what asks where no Origin is sent: another site's page may not even embed or navigate to what is served.
  const site = request.headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return refuse(403);
  const { method } = request;
  if (method !== "GET" && method !== "POST") return refuse(405);
  // A form of another page posts without a preflight: only our own script sends an Origin of ours.
  if (method === "POST" && origin === undefined) return refuse(403);
  const [, given = "", ...rest] = (request.url ?? "").replace(/\?.*/, "").split("/");
  if (!isToken(given, token)) return refuse(404);
  request.resume();
  const found = await handler(method, rest.join("/"));
  if (found === null) return refuse(404);
  const body = typeof found.body === "string" ? Buffer.from(found.body) : found.body;
  response.writeHead(200, {
    "content-type": found.type,
    "content-length": body.length,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    ...(found.fileName === undefined
      ? {}
      : { "content-disposition": `attachment; filename="${found.fileName.replace(/[^\w.-]/g, "_")}"` }),
  });
  response.end(body);
}

function isToken(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
