/**
 * Decodes base64 of deflate a chunk at a time, with the browser's own functions: the whole text is never in memory
 * twice.
 */

/** A multiple of four characters, so that each chunk decodes by itself. */
const CHUNK = 1 << 20;

/** Rejects if the text is not base64, or its content not deflate. */
export async function inflateBase64(text: string): Promise<Uint8Array> {
  let at = 0;
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (at >= text.length) return controller.close();
      const part = atob(text.slice(at, at + CHUNK));
      at += CHUNK;
      const bytes = new Uint8Array(part.length);
      for (let i = 0; i < part.length; i++) bytes[i] = part.charCodeAt(i);
      controller.enqueue(bytes);
    },
  });
  const plain = packed.pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}
