"use strict";
(function () {
  const form = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const articles = Array.from(document.querySelectorAll("article"));
  function wanted(control, value) { return control.value === "" || control.value === value; }
  function update() {
    const words = form.elements.text.value.toLowerCase();
    let count = 0;
    articles.forEach(function (article) {
      const show = wanted(form.elements.rule, article.dataset.rule)
        ? wanted(form.elements.severity, article.dataset.severity)
          ? article.textContent.toLowerCase().includes(words) : false : false;
      article.hidden = !show;
      count += show ? 1 : 0;
    });
    shown.textContent = count + " of " + articles.length + " shown";
  }
  form.addEventListener("input", update);
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.hidden = false;
  update();
})();
