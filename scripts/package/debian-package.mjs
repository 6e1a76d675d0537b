/**
 * Builds out/blackout_VERSION_ARCH.deb around the single file:
 * `node scripts/package/debian-package.mjs [amd64|arm64]`. It installs the command, the recorder, manual pages,
 * completions, units and licences. Its maintainer is the user who builds it, or DEBFULLNAME and DEBEMAIL, as for
 * Debian's own tools.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "../build.mjs";
import { filesUnder } from "../lib/dist.mjs";
import { nodeRelease } from "../lib/node-releases.mjs";
import { inProject } from "../lib/project.mjs";
import { main, run, StepFailure, say, step } from "../lib/step.mjs";
import { buildSingleFile, nodeInside } from "./build-single-file.mjs";

const architectures = { amd64: "linux-x64", arm64: "linux-arm64" };
/** Where `blackout record --install` puts the recorder by the manual, and where a package does. */
const [manually, packaged] = ["/usr/local/sbin/", "/usr/sbin/"];

/** Builds the package of an architecture at `output`; null if the single file cannot be built here. */
export async function buildDebianPackage(architecture, output) {
  const work = mkdtempSync(join(tmpdir(), "blackout-deb-"));
  try {
    const put = (path, data, mode = 0o644) => {
      mkdirSync(dirname(join(work, path)), { recursive: true, mode: 0o755 });
      writeFileSync(join(work, path), data, { mode });
    };
    const text = (...path) => readFileSync(inProject(...path), "utf8");
    mkdirSync(join(work, "usr/bin"), { recursive: true });
    const platform = architectures[architecture];
    if ((await buildSingleFile(platform, join(work, "usr/bin/blackout"))) === null) return null;
    put("usr/sbin/blackout-recorder", text("dist/recorder/recorder.sh"), 0o755);
    for (const name of readdirSync(inProject("dist/man"))) {
      put(`usr/share/man/man1/${name}.gz`, gzipSync(text("dist/man", name), { level: 9 }));
    }
    put("usr/share/bash-completion/completions/blackout", text("dist/completions/blackout.bash"));
    put("usr/share/zsh/vendor-completions/_blackout", text("dist/completions/_blackout"));
    put("usr/share/fish/vendor_completions.d/blackout.fish", text("dist/completions/blackout.fish"));
    for (const name of readdirSync(inProject("packaging/systemd"))) {
      put(`usr/lib/systemd/system/${name}`, text("packaging/systemd", name).replaceAll(manually, packaged));
    }
    put("usr/lib/blackout/blackout-vm", text("packaging/hooks/blackout-vm"), 0o755);
    const doc = "usr/share/doc/blackout";
    const node = readFileSync(`${nodeRelease(nodeInside, platform)}/LICENSE`, "utf8");
    const notices = text("THIRD-PARTY-NOTICES.txt");
    put(`${doc}/copyright`, `${text("LICENSE")}\n${notices}\n3. Node.js ${nodeInside}, in the same file\n\n${node}`);
    put(`${doc}/changelog.gz`, gzipSync(text("CHANGELOG.md"), { level: 9 }));
    for (const name of ["README.md", "SECURITY.md", "sbom.cdx.json"]) put(`${doc}/${name}`, text(name));
    for (const name of filesUnder(inProject("docs"))) {
      mkdirSync(dirname(join(work, doc, "docs", name)), { recursive: true });
      copyFileSync(inProject("docs", name), join(work, doc, "docs", name));
    }
    cpSync(inProject("examples"), join(work, doc, "examples"), { recursive: true });

    const files = filesUnder(work);
    const bytes = files.map((path) => readFileSync(join(work, path)));
    const kib = Math.ceil(bytes.reduce((sum, { length }) => sum + length, 0) / 1024);
    const sums = files.map((path, i) => `${createHash("md5").update(bytes[i]).digest("hex")}  ${path}\n`);
    put("DEBIAN/md5sums", sums.join(""));
    put("DEBIAN/control", control(architecture, kib));
    await run("chmod", ["-R", "u=rwX,go=rX", work]);
    await run("dpkg-deb", ["--root-owner-group", "-Zgzip", "--build", work, output], { quiet: true });
    return output;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function control(architecture, kib) {
  const { version, description } = JSON.parse(readFileSync(inProject("package.json"), "utf8"));
  const { DEBFULLNAME = userInfo().username, DEBEMAIL = `${userInfo().username}@${hostname()}` } = process.env;
  return `Package: blackout
Version: ${version}
Architecture: ${architecture}
Maintainer: ${DEBFULLNAME} <${DEBEMAIL}>
Installed-Size: ${kib}
Depends: libc6 (>= 2.28), libstdc++6
Section: utils
Priority: optional
Description: profiler of the blackout window of Linux live updates
 ${description}
 .
 Contains Node.js. The archive's engine (DuckDB) is left out: the commands
 archive and query need the npm package.
`;
}

await main(import.meta, async (args) => {
  const [architecture = { x64: "amd64", arm64: "arm64" }[process.arch]] = args;
  if (!Object.hasOwn(architectures, architecture)) throw new StepFailure(`${architecture}: expected amd64 or arm64`);
  await build();
  mkdirSync(inProject("out"), { recursive: true });
  const { version } = JSON.parse(readFileSync(inProject("package.json"), "utf8"));
  const output = inProject("out", `blackout_${version}_${architecture}.deb`);
  const made = await step(`Debian package for ${architecture}`, () => buildDebianPackage(architecture, output));
  if (made === null) throw new StepFailure("npm's registry does not give Node.js for that architecture");
  say(`out/blackout_${version}_${architecture}.deb`);
});
