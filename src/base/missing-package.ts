/** A package that is installed only where it is wanted (optionalDependencies), and is not here. */
export class MissingPackage extends Error {
  /** `need`: what needs it, as the begin of a sentence. `why`: the first line of what the import failed with. */
  constructor(name: string, need: string, why: string) {
    super(
      `${need} needs the optional package ${name}, which cannot be loaded on ${process.platform}-${process.arch}: ${why}\n` +
        `  Install it: npm install ${name}, or install blackout again without --omit=optional.`,
    );
  }
}
