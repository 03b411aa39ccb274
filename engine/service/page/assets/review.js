// Filter, pick and step through what was found. Works on attributes of elements alone.

import { $ } from "./dom.js";

const all = (selector) => [...document.querySelectorAll(selector)];

let entries = [];
let inferences = [];
let marks = [];
let chips = [];
let picked = null;
let here = null;

/** Take up a new document and its lists. */
export function review() {
  entries = all(".entry").map((node) => ({
    node,
    number: node.dataset.n,
    technique: node.querySelector(".id").textContent,
    probability: Number(node.dataset.p),
    tactics: node.dataset.a.split(" "),
    words: node.dataset.words,
    explicit: node.dataset.explicit === "yes",
    suggestion: node.dataset.kind === "suggestion",
    button: node.querySelector(".pick"),
  }));
  inferences = all(".inference");
  marks = all("mark").map((node) => ({ node, numbers: node.dataset.f.split(" ") }));
  chips = all(".chip");
  for (const entry of entries) entry.button.addEventListener("click", () => pick(entry.number));
  for (const chip of chips) {
    for (const [name, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) {
      chip.addEventListener(name, () => light(chip.dataset.f, on));
    }
  }
  reset();
}

const light = (number, on) => {
  for (const { node, numbers } of marks) if (numbers.includes(number)) node.classList.toggle("lit", on);
};

function wanted() {
  const bound = Number($("least").value) / 100;
  const asked = $("words").value.trim().toLowerCase();
  const under = $("tactic").value;
  const fits = (words, tactics) => words.includes(asked) && (!under || tactics.includes(under));
  return {
    entry: (entry) => entry.probability >= bound && fits(entry.words, entry.tactics) &&
      (!$("explicit").checked || entry.explicit) && (!entry.suggestion || $("suggestions").checked),
    inference: ({ dataset }) => fits(dataset.words, dataset.a.split(" ")),
  };
}

function apply() {
  const want = wanted();
  const listed = new Set();
  for (const entry of entries) {
    const shown = want.entry(entry);
    if (shown) listed.add(entry.number);
    entry.node.hidden = !shown;
  }
  if (picked !== null && !listed.has(picked)) picked = null;
  for (const entry of entries) {
    entry.node.classList.toggle("picked", entry.number === picked);
    entry.button.setAttribute("aria-pressed", String(entry.number === picked));
  }
  const lit = picked === null ? listed : new Set([picked]);
  for (const { node, numbers } of marks) node.classList.toggle("dim", !numbers.some((n) => lit.has(n)));
  for (const chip of chips) chip.hidden = !lit.has(chip.dataset.f);
  for (const node of inferences) node.hidden = !want.inference(node);
  $("least-shown").textContent = `${$("least").value}%`;
  const name = picked === null ? "" : `, only ${entries[Number(picked)].technique}`;
  $("status").textContent = `${listed.size} of ${entries.length} shown${name}`;
  place();
}

/** Say at which piece of evidence the reader is, and whether there is any. */
function place() {
  const list = evidence();
  const at = list.indexOf(here);
  $("here").textContent = list.length
    ? `Evidence ${at < 0 ? "" : `${at + 1} of `}${list.length}${at < 0 ? "" : `: ${techniquesOf(here)}`}`
    : "No evidence shown";
  $("before").disabled = $("next").disabled = !list.length;
}

const techniquesOf = (sentence) => [...new Set([...sentence.querySelectorAll("mark:not(.dim)")]
  .flatMap((mark) => mark.dataset.f.split(" ")))]
  .filter((number) => !entries[Number(number)].node.hidden && (picked === null || number === picked))
  .map((number) => entries[Number(number)].technique).join(", ");

const evidence = () => [...new Set(marks
  .filter(({ node }) => !node.classList.contains("dim"))
  .map(({ node }) => node.closest(".s")))];

function go(sentence, focus = false) {
  here?.classList.remove("here");
  here = sentence;
  if (here) {
    show("text");
    here.classList.add("here");
    here.scrollIntoView({ block: "center" });
    if (focus) here.focus({ preventScroll: true });
  }
  place();
}

/**
 * Go to the next (1) or previous (-1) piece of evidence, round and round.
 *
 * With a key the focus goes along, so that Tab leads on from there; with a button it stays on it,
 * and the sentence is read out instead.
 */
function step(by, focus) {
  const list = evidence();
  if (!list.length) return;
  const at = list.indexOf(here);
  const next = at < 0 ? (by > 0 ? 0 : list.length - 1) : (at + by + list.length) % list.length;
  go(list[next], focus);
  $("spoken").textContent = focus ? $("here").textContent : `${$("here").textContent}. ${here.textContent}`;
}

function pick(number) {
  picked = picked === number ? null : number;
  apply();
  if (picked === null) { go(null); return; }
  const first = entries[Number(number)].node.querySelector(".jump");
  if (first) go($(first.getAttribute("href").slice(1)));
}

function reset() {
  $("least").value = "0";
  $("words").value = "";
  $("tactic").value = "";
  $("explicit").checked = false;
  $("suggestions").checked = true;
  picked = null;
  go(null);
  apply();
}

/** Where there is room for one column only: show the lists, or the text. */
export function show(what) {
  $("columns").dataset.show = what;
  $("show-lists").setAttribute("aria-pressed", String(what === "lists"));
  $("show-text").setAttribute("aria-pressed", String(what === "text"));
}

function follow(event) {
  const link = event.target.closest(".jump, .chip, .reason");
  if (!link) return;
  event.preventDefault();
  const target = $(link.getAttribute("href").slice(1));
  if (!target) return;
  if (link.classList.contains("jump")) { go(target, true); return; }
  show("lists");
  target.hidden = false;
  const button = target.querySelector(".pick");
  button.scrollIntoView({ block: "center" });
  button.focus({ preventScroll: true });
}

function press(event) {
  if ($("result").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { reset(); return; }
  if (event.target.closest("input, select, textarea")) return;
  if (event.key === "n") step(1, true);
  else if (event.key === "p") step(-1, true);
  else if (event.key === "/") { event.preventDefault(); show("lists"); $("words").focus(); }
}

for (const control of ["least", "words", "tactic", "explicit", "suggestions"]) {
  for (const event of ["input", "change"]) $(control).addEventListener(event, apply);
}
$("reset").addEventListener("click", reset);
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("next").addEventListener("click", () => step(1, false));
$("before").addEventListener("click", () => step(-1, false));
$("show-lists").addEventListener("click", () => show("lists"));
$("show-text").addEventListener("click", () => show("text"));
$("result").addEventListener("click", follow);
document.addEventListener("keydown", press);
