// The page from top to bottom: state of the service, the key, asking, the answer, exports.

import { Refusal, analyse, hasKey, ready, releases, useKey } from "./api.js";
import { buildDocument } from "./document.js";
import { $, count, element } from "./dom.js";
import { fillLists } from "./lists.js";
import { review, show } from "./review.js";

const MEGABYTE = 1e6;
const most = Number(document.querySelector("meta[name=most-megabytes]").content);
const FILES = {
  navigator: [".navigator.json", "application/json"],
  stix: [".stix.json", "application/stix+json"],
  csv: [".csv", "text/csv"],
  html: [".html", "text/html"],
};

let chosen = null;
let running = null;
let outputs = {};
let title = "";
let figuresOf = null;

// --- state of the service ----------------------------------------------------------------------

async function lookAtService() {
  const told = await ready();
  $("health").dataset.state = told.ok ? "ready" : "problem";
  say("health", told.ok ? "Ready" : "Not ready");
  say("running", told.ok ? `release ${told.release} · ATT&CK ${told.attack_version}` : told.problem);
  // The figures change with the release alone.
  if (told.ok && told.release !== figuresOf) await lookAtReleases();
}

// The same words again would be read out again.
const say = (id, words) => { if ($(id).textContent !== words) $(id).textContent = words; };

async function lookAtReleases() {
  try {
    const told = await releases();
    const serving = told.releases.find((release) => release.serving);
    figuresOf = serving?.name ?? null;
    for (const node of document.querySelectorAll("[data-point]")) {
      const point = serving?.operating_points[node.dataset.point];
      node.textContent = point
        ? `precision ${share(point.expected_precision)}, recall ${share(point.expected_recall)}`
        : "";
    }
  } catch (error) {
    // Without a key the figures stay away, and the page says what it needs before work is lost.
    if (error instanceof Refusal && error.status === 401) askForKey();
  }
}

const share = (value) => `${Math.round(value * 100)}%`;

// --- the key -----------------------------------------------------------------------------------

function openKey(open) {
  $("key-form").hidden = !open;
  $("key-open").setAttribute("aria-expanded", String(open));
}

function askForKey() {
  openKey(true);
  $("key-state").textContent = hasKey() ? "The service does not know this key, or it has ended." : "";
  $("key-forget").hidden = !hasKey();
}

// Where anybody on the way could read the key, whoever enters it should know.
$("key-plain").hidden = isSecureContext;

$("key-open").addEventListener("click", () => {
  openKey($("key-form").hidden);
  if (!$("key-form").hidden) $("key").focus();
});

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey($("key").value);
  $("key").value = "";
  $("key-open").textContent = hasKey() ? "API key set" : "API key";
  $("key-forget").hidden = !hasKey();
  openKey(false);
  hideError();
  lookAtService();
  $("text").focus();
});

$("key-forget").addEventListener("click", () => {
  useKey("");
  $("key-open").textContent = "API key";
  $("key-forget").hidden = true;
  $("key").focus();
});

// --- what to read ------------------------------------------------------------------------------

function choose(file) {
  chosen = file;
  $("file").value = "";
  $("chosen").hidden = !file;
  $("text").hidden = Boolean(file);
  $("drop").classList.toggle("holds", Boolean(file));
  hideError();
  if (!file) return;
  $("chosen-name").textContent = file.name;
  $("chosen-size").textContent = file.size < MEGABYTE / 10
    ? `${Math.max(1, Math.round(file.size / 1000))} kB` : `${(file.size / MEGABYTE).toFixed(1)} MB`;
  if (tooLarge(file.size)) return;
  $("analyse").focus();
}

function tooLarge(size) {
  if (size <= most * MEGABYTE) return false;
  // Refused here already: a connection that breaks off while sending would tell nobody why.
  showError(new Refusal(413, "The report is too large", `The service takes up to ${most} MB: split it.`));
  return true;
}

$("file").addEventListener("change", () => { if ($("file").files.length) choose($("file").files[0]); });
$("chosen-drop").addEventListener("click", () => { choose(null); $("text").focus(); });

const carriesFile = (transfer) => [...(transfer?.types ?? [])].includes("Files");

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    if (!carriesFile(event.dataTransfer)) return;
    event.preventDefault();
    $("drop").classList.toggle("over", !$("ask").hidden);
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  $("drop").classList.remove("over");
  if (!carriesFile(event.dataTransfer)) return;
  event.preventDefault(); // the browser would leave the page for the file
  if ($("ask").hidden || running) return;
  const files = [...event.dataTransfer.files];
  choose(files[0] ?? null);
  if (files.length > 1) {
    showError(new Refusal(0, "One report at a time", `${files[0].name} was taken. For many reports: ttpscribe analyse FOLDER.`));
  }
});
$("text").addEventListener("paste", (event) => {
  if (!event.clipboardData?.files.length) return;
  event.preventDefault();
  choose(event.clipboardData.files[0]);
});

// --- asking ------------------------------------------------------------------------------------

async function submit() {
  if (running) return;
  const text = $("text").value;
  hideError();
  if (!chosen && !text.trim()) {
    showError(new Refusal(0, "There is nothing to read", "Paste the text of a report, or choose a file."));
    $("text").focus();
    return;
  }
  if (tooLarge(chosen ? chosen.size : text.length)) return;
  const point = document.querySelector("input[name=point]:checked").value;
  const name = chosen ? chosen.name : "Pasted text";
  const control = new AbortController();
  busy(control);
  try {
    const answer = await analyse({ text, file: chosen, point }, control.signal);
    showAnswer(answer, name);
  } catch (error) {
    if (error.name === "AbortError") { $("busy").textContent = "Cancelled."; $("analyse").focus(); return; }
    if (error instanceof TypeError && chosen) {
      // The browser cannot read the file any more: it was moved or changed since it was chosen.
      showError(new Refusal(0, "The file cannot be read", "Choose it again."));
      return;
    }
    if (!(error instanceof Refusal)) throw error;
    showError(error);
    if (error.status === 401) { askForKey(); $("key").focus(); }
  } finally {
    idle();
  }
}

let clock = null;

function busy(control) {
  running = control;
  $("analyse").disabled = true;
  $("cancel").hidden = false;
  $("ask-form").setAttribute("aria-busy", "true");
  $("busy").textContent = "Reading and analysing";
  const begun = Date.now();
  // Told once, then shown only: a count read aloud every second helps nobody.
  clock = setInterval(() => { $("busy").dataset.seconds = ` · ${Math.round((Date.now() - begun) / 1000)} s`; }, 1000);
}

function idle() {
  running = null;
  clearInterval(clock);
  delete $("busy").dataset.seconds;
  if ($("busy").textContent !== "Cancelled.") $("busy").textContent = "";
  $("analyse").disabled = false;
  $("cancel").hidden = true;
  $("ask-form").removeAttribute("aria-busy");
}

$("ask-form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); submit(); }
});
$("cancel").addEventListener("click", () => running?.abort());

// --- errors ------------------------------------------------------------------------------------

let waiting = null;

function showError(refusal) {
  clearInterval(waiting);
  $("error-title").textContent = refusal.title;
  $("error-text").textContent = refusal.message;
  $("error").hidden = false;
  $("error").scrollIntoView({ block: "nearest" });
  const again = $("again");
  again.hidden = refusal.wait === null && refusal.status !== 0 && refusal.status < 500;
  if (refusal.status === 0 && refusal.title !== "The service does not answer") again.hidden = true;
  if (refusal.wait === null) { again.textContent = "Try again"; again.disabled = false; return; }
  let left = refusal.wait;
  const tick = () => {
    again.disabled = left > 0;
    again.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
    if (left <= 0) clearInterval(waiting);
    left -= 1;
  };
  tick();
  waiting = setInterval(tick, 1000);
}

function hideError() {
  clearInterval(waiting);
  $("error").hidden = true;
}

$("again").addEventListener("click", submit);

// --- the answer --------------------------------------------------------------------------------

function showAnswer(answer, name) {
  const view = JSON.parse(answer.outputs.view);
  outputs = answer.outputs;
  title = name;
  $("title").textContent = name;
  const counts = fillLists(view);
  const told = [count(counts.findings, "finding"), count(counts.suggestions, "suggestion"),
    count(view.inferences.length, "inference")];
  const pages = view.pages ? ` on ${count(view.pages, "page")}` : "";
  $("facts").replaceChildren(...[...told, `${count(view.sentences, "sentence")}${pages}`,
    view.operating_point, `release ${view.release}`, `ATT&CK ${view.attack_version}`]
    .map((fact) => element("span", {}, fact)));
  $("warnings").replaceChildren(...view.warnings.map((warning) =>
    element("p", { class: "warning", role: "note" }, element("b", {}, "Note"), ` ${warning}`)));
  $("document").replaceChildren(buildDocument(view));
  $("exported").textContent = "";
  $("ask").hidden = true;
  $("result").hidden = false;
  document.title = `${name} · ttpscribe`;
  show("lists");
  review();
  scrollTo(0, 0);
  $("title").focus({ preventScroll: true });
  $("spoken").textContent = `${told.join(", ")}.`;
}

$("anew").addEventListener("click", () => {
  outputs = {};
  for (const id of ["document", "findings", "suggested", "inferences", "warnings"]) $(id).replaceChildren();
  $("result").hidden = true;
  $("ask").hidden = false;
  document.title = "ttpscribe";
  $("text").value = "";
  choose(null);
  scrollTo(0, 0);
  $("text").focus();
});

// --- exports -----------------------------------------------------------------------------------

for (const button of document.querySelectorAll("[data-export]")) {
  button.addEventListener("click", () => {
    const [suffix, type] = FILES[button.dataset.export];
    const address = URL.createObjectURL(new Blob([outputs[button.dataset.export]], { type }));
    const file = `${title.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[-.]+/, "") || "report"}${suffix}`;
    element("a", { href: address, download: file }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    $("exported").textContent = `${file} holds all that was found, whatever the filter shows.`;
  });
}

lookAtService();
setInterval(lookAtService, 60_000);
