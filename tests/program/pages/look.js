// Looks at pages with a browser, and prints what is wrong with them, one line each.
//
// Usage: node look.js TOOLS CHROMIUM PAGE…
//        node look.js TOOLS CHROMIUM PAGE… --shots FOLDER          (also takes a picture of each view)
"use strict";

const path = require("node:path");
const { pathToFileURL } = require("node:url");

const [tools, chromium, ...rest] = process.argv.slice(2);
const at = rest.indexOf("--shots");
const shots = at < 0 ? null : rest.splice(at)[1];
const need = (name) => require(path.join(tools, "node_modules", name));
const puppeteer = need("puppeteer-core");
const axe = need("axe-core").source;
const { HtmlValidate } = need("html-validate");

const WIDTHS = [400, 1600];
const SCHEMES = ["light", "dark"];
// Nothing is wider than the window at these either: what a small telephone has, both sides of the change of layout, and paper.
const FURTHER = [320, 800, 960, 980];
const PAPER = 700;

// Runs in the page: what a text of the page may not have become.
function markup() {
    const strange = "script, img, iframe, object, embed, link, base, form, svg, [style], [onerror], [onclick], [onload]";
    return [...document.querySelectorAll(strange)].map((element) => element.outerHTML.slice(0, 200));
}

// Runs in the page: what is wider than the window.
function overflow() {
    const width = document.documentElement.clientWidth;
    const found = [];
    if (document.documentElement.scrollWidth > width) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
    for (const element of document.body.querySelectorAll("*")) {
        const box = element.getBoundingClientRect();
        if (box.width > 1 && box.right > width + 1) found.push(`${element.tagName}.${element.className} ends at ${box.right}`);
    }
    return found.slice(0, 5);
}

async function look(browser, file, say) {
    const report = await new HtmlValidate({ extends: ["html-validate:recommended"] }).validateFile(file);
    for (const message of report.results.flatMap((result) => result.messages)) {
        say("html", `${message.ruleId}: ${message.message}, line ${message.line}`);
    }
    const page = await browser.newPage();
    page.on("console", (message) => say("console", message.text()));
    page.on("pageerror", (error) => say("error", error.message));
    page.on("request", (request) => {
        if (request.url() !== pathToFileURL(file).href) say("request", request.url());
    });
    for (const width of WIDTHS) {
        for (const scheme of SCHEMES) {
            await page.setViewport({ width, height: 900 });
            await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
            await page.goto(pathToFileURL(file).href);
            const where = `${width} ${scheme}`;
            for (const found of await page.evaluate(overflow)) say(where, found);
            for (const found of await page.evaluate(markup)) say(where, found);
            // What DevTools evaluates is not the page's own script, and the page's policy does not hold for it.
            await page.evaluate(axe);
            const result = await page.evaluate(() => globalThis.axe.run());
            const doubts = result.incomplete.filter((rule) => rule.id.startsWith("color-contrast"));
            for (const rule of [...result.violations, ...doubts]) {
                const nodes = rule.nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary ?? ""}`);
                say(where, `${rule.id}: ${nodes.join(" | ").replace(/\s+/g, " ").slice(0, 900)}`);
            }
            if (result.passes.length < 10) say(where, `only ${result.passes.length} rules were looked at`);
            if (shots) {
                const name = `${path.basename(file, ".html")}-${width}-${scheme}.png`;
                await page.screenshot({ path: path.join(shots, name), fullPage: true });
            }
        }
    }
    for (const width of [...FURTHER, PAPER]) {
        await page.setViewport({ width, height: 900 });
        await page.emulateMediaType(width === PAPER ? "print" : "screen");
        for (const found of await page.evaluate(overflow)) say(`${width}`, found);
    }
    await page.close();
}

async function main() {
    // As root, Chromium has no sandbox; the pages are ours.
    const browser = await puppeteer.launch({ executablePath: chromium, args: ["--no-sandbox", "--disable-gpu"] });
    try {
        for (const file of rest) {
            await look(browser, file, (where, what) => console.log(`${path.basename(file)} ${where}: ${what}`));
        }
        console.log(`${rest.length} pages seen`);
    } finally {
        await browser.close();
    }
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
