/**
 * A server for one user on this machine. Loopback does not control access: every local user and every page in the
 * browser can reach it. So each address begins with a random token, Host must be the loopback's (no rebound name), a
 * foreign Origin is refused, and no answer carries a CORS header.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { err, ok, type Result } from "../../base/result.js";
import { redirectPage } from "./browser.js";

export interface Answer {
  readonly type: string;
  readonly body: string | Uint8Array;
  /** Offered for saving under this name. */
  readonly fileName?: string;
  /** 200, unless given. */
  readonly status?: number;
}

/**
 * Answers a path below the token, without its first slash; null if there is no such path. `accept`: what the client
 * accepts.
 */
export type Handler = (method: "GET" | "POST", path: string, accept: string) => Answer | null | Promise<Answer | null>;

/**
 * A browser opens six connections to one host. Half-open ones of a client that never asks must not take the file
 * descriptors that captures and archives need.
 */
const MOST_CONNECTIONS = 64;
/** A client on this machine or in its network sends its headers at once. */
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** How often Node.js looks for connections that are beyond these. */
const CHECK_EVERY_MS = 1_000;

/** For a service that other programs ask, unless given as for one user's browser. */
export interface LoopbackOptions {
  /** Listened on instead of the loopback's. */
  readonly address?: string;
  /** Names, without port, by which it may be asked besides its address and localhost. */
  readonly names?: readonly string[];
  /** Instead of a random one. It is then also taken as a bearer token (RFC 6750), before a path without it. */
  readonly token?: string;
  /** Answers a path that needs no token: its answer is for everyone who reaches the port. */
  readonly open?: (path: string) => Answer | null;
}

export interface Loopback {
  /** With the token, and a slash at its end. */
  readonly url: string;
  /**
   * An address that leads to `url` once: for a page of another origin (a file) that sends a browser here. It is
   * used up by the first request that has it.
   */
  entrance(): string;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

/** Listens on `port` of 127.0.0.1, any free one if 0. The error is a sentence. */
export async function startLoopback(
  handler: Handler,
  port: number,
  options: LoopbackOptions = {},
): Promise<Result<Loopback, string>> {
  const { address = HOST, names = [], open = () => null } = options;
  const token = options.token ?? randomBytes(24).toString("base64url");
  const access: Access = {
    token,
    takesBearer: options.token !== undefined,
    names: [address, "localhost", ...names],
    open,
    entrances: new Set(),
  };
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
  };
  const server = createServer(limits, (request, response) => {
    answer(request, response, server, access, handler).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  const failed = await new Promise<NodeJS.ErrnoException | null>((done) => {
    server.once("error", done);
    server.listen(port, address, () => done(null));
  });
  if (failed !== null) return err(listenProblem(failed, address, port));
  const origin = `http://${hostText(address)}:${portOf(server)}`;
  return ok({
    url: `${origin}/${token}/`,
    entrance: () => {
      const once = randomBytes(24).toString("base64url");
      access.entrances.add(once);
      return `${origin}/${once}/`;
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  });
}

interface Access {
  readonly token: string;
  readonly takesBearer: boolean;
  readonly names: readonly string[];
  readonly open: (path: string) => Answer | null;
  /** Tokens of entrances that nobody has used. */
  readonly entrances: Set<string>;
}

/** An IPv6 address stands in brackets in a URL. */
const hostText = (address: string): string => (address.includes(":") ? `[${address}]` : address);

function listenProblem(error: NodeJS.ErrnoException, address: string, port: number): string {
  if (error.code === "EADDRINUSE") {
    return `port ${port} of ${address} is taken by another program: choose another with --port, or leave --port out`;
  }
  if (error.code === "EACCES") return `port ${port} may not be listened on by this user: choose one above 1023`;
  return `${address} cannot be listened on: ${error.message}`;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  server: Server,
  access: Access,
  handler: Handler,
): Promise<void> {
  const port = portOf(server);
  const hosts = access.names.map((name) => `${hostText(name)}:${port}`);
  const refuse = (status: number): void => {
    response.writeHead(status, { "content-type": "text/plain" }).end();
  };
  if (!hosts.includes(request.headers.host ?? "")) return refuse(403);
  const { origin } = request.headers;
  if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`)) return refuse(403);
  const { method } = request;
  const path = (request.url ?? "").replace(/\?.*/, "");
  const entrance = method === "GET" ? entranceOf(path, access) : null;
  // Shows who asks if no Origin is sent: another site's page may not even embed or navigate to what is served. The
  // one exception is a navigation of a whole window that has an entrance's token, and that gets a link only.
  const { "sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": destination } = request.headers;
  const isOwn = site === undefined || site === "same-origin" || site === "none";
  const isNavigation = mode === "navigate" && destination === "document";
  if (!isOwn && !(entrance !== null && isNavigation)) return refuse(403);
  if (entrance !== null) {
    access.entrances.delete(entrance);
    return send(response, { type: "text/html; charset=utf-8", body: redirectPage(`/${access.token}/`) });
  }
  if (method !== "GET" && method !== "POST") return refuse(405);
  // A form of another page posts without a preflight: only our own script sends an Origin of ours.
  if (method === "POST" && origin === undefined) return refuse(403);
  request.resume();
  const open = method === "GET" ? access.open(path.slice(1)) : null;
  const below = open === null ? pathBelow(path, request.headers.authorization, access) : "";
  if (below === null) return refuse(404);
  const found = open ?? (await handler(method, below, request.headers.accept ?? ""));
  if (found === null) return refuse(404);
  send(response, found);
}

/** The token of an unused entrance that the path is; else null. */
function entranceOf(path: string, { entrances }: Access): string | null {
  const given = /^\/([\w-]{1,64})\/$/.exec(path)?.[1];
  return given === undefined ? null : ([...entrances].find((token) => isToken(given, token)) ?? null);
}

function send(response: ServerResponse, found: Answer): void {
  const body = typeof found.body === "string" ? Buffer.from(found.body) : found.body;
  response.writeHead(found.status ?? 200, {
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

/** The path behind the token. The token is in the path or in the request's header; null if neither is right. */
function pathBelow(path: string, authorization: string | undefined, access: Access): string | null {
  const [, given = "", ...rest] = path.split("/");
  if (isToken(given, access.token)) return rest.join("/");
  const bearer = access.takesBearer ? /^Bearer (\S+)$/i.exec(authorization ?? "")?.[1] : undefined;
  return bearer !== undefined && isToken(bearer, access.token) ? path.slice(1) : null;
}

function isToken(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
