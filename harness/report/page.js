// Marks the call that is shown. The page works without: links and :target do the rest.
addEventListener("hashchange", () => {
  const link = document.querySelector(`.calls a[href="${CSS.escape(location.hash).replace(/^\\#/, "#")}"]`);
  if (!link) return;
  for (const other of link.closest("ol").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
});
