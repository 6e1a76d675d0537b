/** The packages of others that blackout bundles or installs, with their licences: notices, and a bill of materials. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root as projectRoot } from "./project.mjs";

const json = (path) => JSON.parse(readFileSync(path, "utf8"));

/** Packages whose code is in dist, in the viewer's pages and so in every report. Checked while the pages are built. */
export const bundledPackages = ["uplot"];

/**
 * Every package that an installation of blackout can contain, sorted by name: those of package-lock.json that are not
 * for development only. `licenseText` is null if the package is for another platform, or contains no licence file.
 */
export function shippedPackages(root = projectRoot) {
  return Object.entries(json(join(root, "package-lock.json")).packages)
    .filter(([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional)
    .map(([path, { version, license, integrity, resolved, optional, dependencies, optionalDependencies }]) => ({
      path,
      name: path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
      version,
      license: license ?? "unknown",
      integrity,
      resolved,
      optional: optional === true,
      needs: Object.keys({ ...dependencies, ...optionalDependencies }),
      licenseText: licenseTextOf(join(root, path)),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The text of a package's licence and notice files, or null. */
function licenseTextOf(folder) {
  if (!existsSync(folder)) return null;
  const files = readdirSync(folder)
    .filter((name) => /^(licen[cs]e|notice|copying)/i.test(name))
    .sort();
  const texts = files.map((name) => readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n").trim());
  return texts.length === 0 ? null : texts.join("\n\n");
}

/** DuckDB's engine has one package per platform; their licence is that of the package which is always there. */
const textIn = (name) => (name.startsWith("@duckdb/node-bindings-") ? "@duckdb/node-api" : name);

const rule = `${"-".repeat(80)}\n`;

/** THIRD-PARTY-NOTICES.txt, the same on every platform. */
export function noticesText(packages = shippedPackages()) {
  const named = new Map(packages.map((each) => [each.name, each]));
  const groups = new Map();
  for (const { name, version, license } of packages) {
    const text =
      named.get(textIn(name))?.licenseText ?? `${name} contains no licence file; its package.json names ${license}.`;
    const members = groups.get(text) ?? [];
    members.push({ name, line: `${name} ${version} (${license})` });
    groups.set(text, members);
  }
  const section = ([text, members]) => `${rule}${members.map(({ line }) => line).join("\n")}\n\n${text}\n\n`;
  const bundled = ([, members]) => members.some(({ name }) => bundledPackages.includes(name));
  return [
    "THIRD-PARTY NOTICES\n\n",
    "blackout contains code of the packages in the first part, in its viewer and in every report that it writes.\n",
    "Installing blackout also installs the packages in the second part; a single-file build contains them.\n\n",
    "1. Contained in the viewer and in reports\n\n",
    ...[...groups].filter(bundled).map(section),
    "2. Installed with blackout\n\n",
    ...[...groups].filter((group) => !bundled(group)).map(section),
  ].join("");
}

/** The notices of the packages in a page, as an HTML comment: a report is given away without the package beside it. */
export function noticesComment(names, packages = shippedPackages()) {
  const texts = names.map((name) => {
    const found = packages.find((each) => each.name === name);
    if (found?.licenseText == null) throw new Error(`${name}: no licence text to put into the page`);
    return `This page contains ${name} ${found.version} (${found.license}).\n\n${found.licenseText}`;
  });
  const text = texts.join("\n\n");
  if (text.includes("--")) throw new Error("a licence text would close the comment that it is in");
  return `<!--\n${text}\n-->`;
}

/** sbom.cdx.json: a CycloneDX 1.6 document. It has no time stamp and no random serial number: same lock, same bytes. */
export function billOfMaterials(root = projectRoot) {
  const manifest = json(join(root, "package.json"));
  const { name, version, license, description } = manifest;
  const packages = shippedPackages(root);
  const purl = (of) => `pkg:npm/${of.name.replace("@", "%40")}@${of.version}`;
  const own = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
  const ref = (of) => `${of.name}@${of.version}`;
  const hash = (integrity) => ({
    alg: { sha512: "SHA-512", sha1: "SHA-1", sha256: "SHA-256" }[integrity.split("-")[0]],
    content: Buffer.from(integrity.slice(integrity.indexOf("-") + 1), "base64").toString("hex"),
  });
  const body = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": `${name}@${version}`,
        name,
        version,
        description,
        licenses: [{ license: { id: license } }],
        purl: purl({ name, version }),
      },
    },
    components: packages.map((each) => ({
      type: "library",
      "bom-ref": ref(each),
      name: each.name,
      version: each.version,
      scope: each.optional ? "optional" : "required",
      ...(each.integrity === undefined ? {} : { hashes: [hash(each.integrity)] }),
      licenses: [/[ ()]/.test(each.license) ? { expression: each.license } : { license: { id: each.license } }],
      purl: purl(each),
      ...(bundledPackages.includes(each.name) ? { properties: [{ name: "blackout:bundled", value: "viewer" }] } : {}),
    })),
    dependencies: [
      { ref: `${name}@${version}`, dependsOn: refsOf(own, packages) },
      ...packages.map((each) => ({ ref: ref(each), dependsOn: refsOf(each.needs, packages) })),
    ],
  };
  const digest = createHash("sha256").update(JSON.stringify(body)).digest("hex");
  const uuid = digest.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-5$3-8$4-$5");
  const { bomFormat, specVersion, ...rest } = body;
  return `${JSON.stringify({ bomFormat, specVersion, serialNumber: `urn:uuid:${uuid}`, ...rest }, null, 2)}\n`;
}

function refsOf(names, packages) {
  const found = names.flatMap((name) => packages.find((each) => each.path === `node_modules/${name}`) ?? []);
  return found.map(({ name, version }) => `${name}@${version}`).sort();
}
