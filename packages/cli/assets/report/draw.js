// Draws the page.
(() => {
  const { report } = globalThis;
  report.drawHeadline();
  report.drawIterations();
  report.drawMetaLearner();
  report.drawTraining();
  report.drawTime();
  report.drawSamples();
  report.drawRecipes();
  const links = [...document.querySelectorAll('main > section')].map(({ id, firstChild }) =>
    report.element('a', { href: `#${id}` }, firstChild.textContent),
  );
  document.getElementById('header').append(report.element('nav', { 'aria-label': 'Contents' }, ...links));
  addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll('details')) details.open = true;
  });
})();
