// Takes the picture of a page that the documentation shows.
//
// Usage: node shot.js TOOLS CHROMIUM PAGE PICTURE
"use strict";

const path = require("node:path");
const { pathToFileURL } = require("node:url");

const [tools, chromium, file, picture] = process.argv.slice(2);
const puppeteer = require(path.join(tools, "node_modules/puppeteer-core"));

async function main() {
    // As root, Chromium has no sandbox; the page is ours.
    const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox", "--disable-gpu"] });
    const page = await browser.newPage();
    await page.setViewport({ width: 1280, height: 808 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
    await page.goto(pathToFileURL(file).href);
    await page.screenshot({ path: picture });
    await browser.close();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
