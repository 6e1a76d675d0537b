/** A worker that does what its path requests (end, hang, grow), for tests of the pool. */
const kept: Buffer[] = [];

process.on("message", ({ path }: { readonly path: string }) => {
  switch (path) {
    case "forever":
      for (;;) kept.length = 0;
    case "heap": {
      const objects: object[] = [];
      for (;;) objects.push({ at: objects.length });
    }
    case "memory":
      setInterval(() => kept.push(Buffer.alloc(8 << 20, 1)), 2);
      break;
    case "throws":
      throw new TypeError("nothing there");
    case "exits":
      process.exit(9);
      break;
    default:
      process.send?.({ kind: "refused", reason: `${path} ${process.pid}` });
  }
});
process.on("disconnect", () => process.exit(0));
