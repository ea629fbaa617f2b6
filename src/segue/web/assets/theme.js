// Before the first paint: the theme that was chosen here, else the machine's.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem("segue.theme");
  } catch (e) {}
  var dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
