"use strict";
// Comfort only: every page works without this file.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}
const live = document.querySelector("[data-refresh]");
if (live) {
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(live.dataset.refresh, { redirect: "manual" });
      if (!answer.ok) throw new Error(answer.status);
      const text = await answer.text();
      if (text !== live.dataset.last) live.innerHTML = live.dataset.last = text;
      document.body.classList.remove("offline");
    } catch { document.body.classList.add("offline"); }
  }, 2000);
}
