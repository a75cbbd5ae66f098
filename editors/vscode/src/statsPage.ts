// The page of `truefill stats --json`. It has no script, so nothing in it can run.

/** Counts of requests. */
export interface Counts {
  requested: number;
  eligible: number;
  served: number;
  shown: number;
  accepted: number;
  kept: number;
  kept_chars: number;
  latency: { median_ms: number | null; p95_ms: number | null };
}

/** `truefill stats --json`, as far as it is shown. */
export interface Report {
  all: Counts;
  arms: Record<string, Counts>;
  languages: Record<string, Counts>;
  triggers: Record<string, Counts>;
  silences: Record<string, number>;
  verdict: string[];
}

const HEAD = ["", "requested", "served", "shown", "accepted", "kept", "kept characters", "per request", "median / p95"];

const STYLE = `
body { font-family: var(--vscode-font-family); font-size: var(--vscode-font-size); color: var(--vscode-foreground); padding: 1em 2em; max-width: 70em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1em 0; }
th, td { padding: 0.25em 0.8em; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { font-weight: normal; color: var(--vscode-descriptionForeground); border-bottom: 1px solid var(--vscode-panel-border); }
tbody th { padding-top: 1em; font-weight: 600; }
.share { color: var(--vscode-descriptionForeground); }
a { color: var(--vscode-textLink-foreground); }
p { line-height: 1.5; }`;

const ACTIONS =
  '<p><a href="command:truefill.showStats">Look again</a> · <a href="command:truefill.chooseArms">Choose what is served</a></p>';

const EXPLANATION = `<p class="share">Requests are counted where they asked the model. <em>Shown</em> are those of which
nothing says that they were replaced or typed away before they could be seen: the editor does not tell it. <em>Kept</em>
characters are what was left of accepted ones at the last look, 30 to 360 seconds later. All of it stays on this machine.</p>`;

/** The page of a report, or of a journal that has nothing yet. */
export function statsPage(report: Report | undefined): string {
  const content =
    report === undefined || report.all.requested === 0 ? "<p>The journal has no requests yet.</p>" : body(report);
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';">
<title>Truefill: Statistics</title><style>${STYLE}</style></head>
<body><h1>How suggestions fare</h1>
${content}
${ACTIONS}</body></html>`;
}

function body(report: Report): string {
  const verdict = report.verdict.map((sentence) => `<p>${marked(sentence)}</p>`).join("\n");
  const rows = [
    row("all", report.all),
    group("By arm", report.arms),
    group("By language", report.languages),
    group("By trigger", report.triggers),
  ];
  const head = HEAD.map((name) => `<th>${name}</th>`).join("");
  const silences = Object.entries(report.silences).map(([code, count]) => `${escaped(code)} ${count}`);
  const nothing = silences.length > 0 ? `<p>Nothing was given: ${silences.join(", ")}.</p>` : "";
  return `${verdict}
<table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>
${nothing}${EXPLANATION}`;
}

function group(title: string, counts: Record<string, Counts>): string {
  const rows = Object.entries(counts).map(([name, own]) => row(name, own));
  return `<tr><th colspan="${HEAD.length}">${title}</th></tr>${rows.join("")}`;
}

function row(name: string, counts: Counts): string {
  const { requested, eligible, kept_chars: chars, latency } = counts;
  const share = (part: number) =>
    `${part}${requested > 0 ? ` <span class="share">${((100 * part) / requested).toFixed(0)} %</span>` : ""}`;
  const ms = (value: number | null) => (value === null ? "–" : value.toFixed(0));
  const cells = [
    escaped(name),
    String(requested),
    share(counts.served),
    share(counts.shown),
    share(counts.accepted),
    share(counts.kept),
    String(chars),
    eligible > 0 ? (chars / eligible).toFixed(2) : "–",
    `${ms(latency.median_ms)} / ${ms(latency.p95_ms)} ms`,
  ];
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

/** A sentence whose names stand between backticks. */
function marked(sentence: string): string {
  return escaped(sentence).replace(/`([^`]*)`/g, "<code>$1</code>");
}

function escaped(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? character);
}
