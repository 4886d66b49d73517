// Checks manifests on standard input: their values against the schemas of Kubernetes and of the Prometheus operator, and the names of their
// fields, which the schemas leave open, against the types.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

const manifests = parseAllDocuments(readFileSync(0, "utf8")).map((document) => document.toJS());
const moduleOf = ({ apiVersion, kind }) =>
  apiVersion.startsWith("monitoring.coreos.com/")
    ? `@kubernetes-models/prometheus-operator/${apiVersion}/${kind}`
    : `kubernetes-models/${apiVersion}/${kind}`;

let problems = manifests.length === 0 ? 1 : 0;
for (const manifest of manifests) {
  const name = `${manifest.kind} ${manifest.metadata.name}`;
  try {
    new (await import(moduleOf(manifest)))[manifest.kind](manifest).validate();
    console.log(`${name}: ok`);
  } catch (error) {
    console.error(`${name}: ${error.message}`);
    problems++;
  }
}

const typed = manifests.map((manifest, index) =>
  `import type { I${manifest.kind} as I${index} } from "${moduleOf(manifest)}";\n` +
  `export const manifest${index}: I${index} = ${JSON.stringify(manifest, null, 1)};\n`);
writeFileSync("manifests.ts", typed.join(""));
const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022"];
const types = spawnSync("npx", ["tsc", ...options, "manifests.ts"], { stdio: ["ignore", "inherit", "inherit"] });
process.exit(problems === 0 && types.status === 0 ? 0 : 1);
