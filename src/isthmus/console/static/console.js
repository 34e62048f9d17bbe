// The console without this file works too; with it, pages stay true by themselves and times are local.
"use strict";

const localTimes = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    time.title = at.toString();
    time.textContent = today ? at.toLocaleTimeString() : at.toLocaleString();
  }
};

const helpFields = () => {
  const select = document.getElementById("path");
  const help = document.getElementById("help");
  const value = document.getElementById("value");
  if (!select || !help || !value) return;
  const helps = JSON.parse(help.dataset.helps);
  const values = new Map(JSON.parse(help.dataset.values));
  const show = () => {
    const held = values.get(select.value);
    help.textContent = helps[select.value.replace(/\[\d+\]/g, "[]")] || "";
    value.value = held === null || held === undefined ? "" : String(held);
  };
  select.addEventListener("change", show);
  show();
};

// What a person is typing or has opened is never taken away from under them.
const isBusy = (part) => part.contains(document.activeElement) && document.activeElement !== document.body;

const takeOver = (page) => {
  let changed = false;
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!fresh || isBusy(part)) continue;
    for (const [place, details] of part.querySelectorAll("details").entries()) {
      const same = fresh.querySelectorAll("details")[place];
      if (same) same.open = details.open;
    }
    localTimes(fresh);
    if (fresh.innerHTML !== part.innerHTML) {
      part.replaceWith(fresh);
      changed = true;
    }
  }
  return changed;
};

const stayTrue = () => {
  if (!document.querySelector("[data-part]")) return;
  let waiting = false;
  const refresh = async () => {
    waiting = false;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (takeOver(page)) document.documentElement.dataset.fresh = String(Date.now());
  };
  const source = new EventSource(document.body.dataset.live);
  source.addEventListener("changed", () => {
    if (waiting) return;
    waiting = true;
    setTimeout(refresh, 300);
  });
  addEventListener("pagehide", () => source.close());
};

localTimes(document);
helpFields();
stayTrue();
