// A window in which the modeler runs without a browser: jsdom, and the parts of SVG that jsdom hasn't got. Nothing is looked at, so
// sizes and places of what is drawn may be rough.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

function openModeler(packages) {
  const { JSDOM } = require(join(packages, 'node_modules', 'jsdom'));
  const { window } = new JSDOM('<!doctype html><body><div id="canvas"></div></body>', { pretendToBeVisual: true, runScripts: 'outside-only' });
  addSvg(window);
  window.HTMLCanvasElement.prototype.getContext = () => ({ measureText: (text) => ({ width: 6 * text.length }), save() {}, restore() {} });
  window.ResizeObserver = window.IntersectionObserver = class { observe() {} unobserve() {} disconnect() {} };
  window.CSS = { escape: (text) => String(text).replace(/[^\w-]/g, (character) => `\\${character}`) };
  window.structuredClone = structuredClone;
  window.eval(readFileSync(join(packages, 'package', 'dist', 'camunda-platform-modeler.production.min.js'), 'utf8'));
  return () => new window.BpmnModeler({ container: window.document.getElementById('canvas') });
}

function addSvg(window) {
  const matrix = () => ({ a: 1, b: 0, c: 0, d: 1, e: 0, f: 0, inverse: matrix, multiply: matrix, translate: matrix, scale: matrix, rotate: matrix });
  const transform = () => ({ matrix: matrix(), setMatrix() {}, setTranslate() {}, setRotate() {}, setScale() {} });
  const list = { consolidate: () => null, appendItem() {}, clear() {}, initialize() {}, createSVGTransformFromMatrix: transform, numberOfItems: 0 };
  const element = window.SVGElement.prototype;
  Object.assign(element, {
    getBBox() { return { x: 0, y: 0, width: 6 * this.textContent.length, height: 10 }; },
    getComputedTextLength() { return 6 * this.textContent.length; },
    getCTM: matrix,
    getScreenCTM: matrix,
    createSVGMatrix: matrix,
    createSVGTransform: transform,
    createSVGTransformFromMatrix: transform,
  });
  Object.defineProperty(element, 'transform', { get: () => ({ baseVal: list }) });
  window.SVGMatrix = class {};
}

module.exports = { openModeler };
