/** Damage of an archive that an answer leaves out. */
import type { Archive } from "../../archive/store/archive.js";
import { damageSentence } from "../../archive/store/soundness.js";
import { type Context, exit, unusable } from "../frame/command.js";

/** Names the damaged files that were left out; the exit code that follows. */
export function reportDamage(context: Context, archive: Archive): number {
  for (const damage of archive.damage) unusable(context, damageSentence(archive.root, damage));
  return archive.damage.length === 0 ? exit.success : exit.unusableInput;
}
