"use strict";
// What is shown lives in the address, #suite=depth&depth=20&t=plain,rbm, so that it can be linked
// and the browser's back button works.

/** The address of a choice; museum.py writes the same. */
function addressOf({ suite, depth, techniques }) {
  const listed = techniques.map(encodeURIComponent).join(",");
  return `#suite=${encodeURIComponent(suite)}&depth=${depth}&t=${listed}`;
}

/** Whether an address is a choice, and not a place on the page. */
function isChoice(hash) {
  return hash === "" || hash === "#" || hash.includes("=");
}

/** The choice that an address asks for, as far as there are results for it; notes say what not. */
function readChoice(hash, museum) {
  const asked = new Map();
  for (const part of hash.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    if (at > 0) asked.set(part.slice(0, at), part.slice(at + 1));
  }
  const notes = [];
  let suite = decoded(asked.get("suite") ?? "");
  if (!Object.hasOwn(museum.suites, suite)) {
    if (suite) notes.push(`There is no suite ${suite}.`);
    suite = Object.keys(museum.suites)[0];
  }
  const { depths, cells } = museum.suites[suite];

  let depth = depths.includes(museum.story.depth) ? museum.story.depth : depths.at(-1);
  if (asked.has("depth")) {
    const wanted = Number(asked.get("depth"));
    if (depths.includes(wanted)) depth = wanted;
    else notes.push(`No network of ${decoded(asked.get("depth"))} layers was run in this suite.`);
  }

  let techniques = asked.get("t")?.split(",").filter(Boolean).map(decoded);
  if (techniques === undefined) techniques = firstTechniques(museum, suite);
  const unknown = techniques.filter((name) => !Object.hasOwn(cells, name));
  if (unknown.length) notes.push(`Not in this suite: ${unknown.join(", ")}.`);
  techniques = [...new Set(techniques)].filter((name) => Object.hasOwn(cells, name));
  if (techniques.length > museum.most) {
    notes.push(`Only the first ${museum.most} techniques are shown.`);
    techniques = techniques.slice(0, museum.most);
  }
  return { suite, depth, techniques, notes };
}

/** The story's techniques, where the suite has more of them than the plain network. */
function firstTechniques(museum, suite) {
  const all = Object.keys(museum.suites[suite].cells);
  const told = museum.story.techniques.filter((name) => all.includes(name));
  return told.length > 1 ? told : all.slice(0, 4);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray % sign, as of an address that was cut
  }
}
