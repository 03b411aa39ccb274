"use strict";
// Works on the attributes of the page alone: no text of the document ever reaches this script.
(() => {
  const $ = (id) => document.getElementById(id);
  const all = (selector) => [...document.querySelectorAll(selector)];
  const entries = all(".entry").map((node) => ({
    node,
    number: node.dataset.n,
    probability: Number(node.dataset.p),
    tactics: node.dataset.a.split(" "),
    words: node.dataset.words,
    explicit: node.dataset.explicit === "yes",
    suggestion: node.dataset.kind === "suggestion",
    button: node.querySelector(".pick"),
  }));
  const inferences = all(".inference");
  const marks = all("mark").map((node) => ({ node, numbers: node.dataset.f.split(" ") }));
  const chips = all(".chip");
  const least = $("least"), words = $("words"), tactic = $("tactic");
  const explicit = $("explicit"), suggestions = $("suggestions");
  let picked = null;
  let here = null;

  const wanted = () => {
    const bound = Number(least.value) / 100;
    const asked = words.value.trim().toLowerCase();
    const under = tactic ? tactic.value : "";
    return {
      entry: (e) => e.probability >= bound && e.words.includes(asked) &&
        (!under || e.tactics.includes(under)) && (!explicit.checked || e.explicit) &&
        (!e.suggestion || suggestions.checked),
      inference: (node) => node.dataset.words.includes(asked) &&
        (!under || node.dataset.a.split(" ").includes(under)),
    };
  };

  const apply = () => {
    const want = wanted();
    const listed = new Set();
    for (const e of entries) {
      const shown = want.entry(e);
      if (shown) listed.add(e.number);
      e.node.classList.toggle("off", !shown);
    }
    if (picked !== null && !listed.has(picked)) picked = null;
    for (const e of entries) {
      e.node.classList.toggle("picked", e.number === picked);
      e.button.setAttribute("aria-pressed", String(e.number === picked));
    }
    const lit = picked === null ? listed : new Set([picked]);
    for (const m of marks) m.node.classList.toggle("dim", !m.numbers.some((n) => lit.has(n)));
    for (const chip of chips) chip.classList.toggle("off", !lit.has(chip.dataset.f));
    for (const node of inferences) node.classList.toggle("off", !want.inference(node));
    $("least-shown").textContent = least.value + "%";
    const name = picked === null ? "" : ", only " + entries[Number(picked)].node.querySelector(".id").textContent;
    $("status").textContent = listed.size + " of " + entries.length + " shown" + name;
  };

  const go = (sentence) => {
    if (here) here.classList.remove("here");
    here = sentence;
    if (!here) return;
    here.classList.add("here");
    here.scrollIntoView({ block: "center" });
  };

  const evidence = () => [...new Set(marks
    .filter((m) => !m.node.classList.contains("dim"))
    .map((m) => m.node.closest(".s")))];

  const step = (by) => {
    const list = evidence();
    if (!list.length) return;
    const at = list.indexOf(here);
    const next = at < 0 ? (by > 0 ? 0 : list.length - 1) : (at + by + list.length) % list.length;
    go(list[next]);
  };

  const pick = (number) => {
    picked = picked === number ? null : number;
    apply();
    if (picked === null) { go(null); return; }
    const first = entries[Number(number)].node.querySelector(".jump");
    if (first) go($(first.getAttribute("href").slice(1)));
  };

  const reset = () => {
    least.value = "0";
    words.value = "";
    if (tactic) tactic.value = "";
    explicit.checked = false;
    if (suggestions) suggestions.checked = true;
    picked = null;
    go(null);
    apply();
  };

  for (const control of [least, words, tactic, explicit, suggestions]) {
    if (control) control.addEventListener("input", apply);
  }
  for (const e of entries) e.button.addEventListener("click", () => pick(e.number));
  $("reset").addEventListener("click", reset);
  $("filters").addEventListener("submit", (event) => event.preventDefault());

  document.addEventListener("click", (event) => {
    const jump = event.target.closest(".jump");
    if (!jump) return;
    event.preventDefault();
    const sentence = $(jump.getAttribute("href").slice(1));
    go(sentence);
    if (sentence) sentence.focus({ preventScroll: true });
  });

  const light = (number, on) => {
    for (const m of marks) if (m.numbers.includes(number)) m.node.classList.toggle("lit", on);
  };
  for (const chip of chips) {
    for (const [name, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) {
      chip.addEventListener(name, () => light(chip.dataset.f, on));
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { reset(); return; }
    if (event.target.closest("input, select, textarea")) return;
    if (event.key === "n") step(1);
    else if (event.key === "p") step(-1);
    else if (event.key === "/") { event.preventDefault(); words.focus(); }
  });

  $("filters").hidden = false;
  apply();
})();
