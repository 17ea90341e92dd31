"use strict";
// What is folded opens where a link leads into it, and all of it in print.
(() => {
  const folds = () => [...document.querySelectorAll("details")];
  const reveal = () => {
    const target = location.hash.startsWith("#") && document.getElementById(location.hash.slice(1).split("?")[0]);
    for (let place = target; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
    if (target) target.scrollIntoView();
  };
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = folds().filter((fold) => !fold.open);
    for (const fold of closed) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of closed) fold.open = false;
  });
  addEventListener("hashchange", reveal);
  reveal();
})();
