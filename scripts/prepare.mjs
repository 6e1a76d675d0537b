/**
 * npm runs this before it packs a checkout, and after it installs one from git: the package then contains the built
 * command. Needs only Node.js and npm.
 */
import { build } from "./build.mjs";
import { main } from "./lib/step.mjs";
import { setup } from "./setup.mjs";

await main(import.meta, async () => {
  await setup();
  await build();
});
