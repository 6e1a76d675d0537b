/** An optional package (package.json, optionalDependencies) that is not installed. */
export class MissingPackage extends Error {
  /** `need`: what uses it, as the subject of a sentence. `why`: the first line of the import's error. */
  constructor(name: string, need: string, why: string) {
    super(
      `${need} needs the optional package ${name}, which cannot be loaded on ${process.platform}-${process.arch}: ${why}\n` +
        `  Install it: npm install ${name}, or install blackout again without --omit=optional.`,
    );
  }
}
