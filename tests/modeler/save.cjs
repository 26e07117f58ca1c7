// Saves diagrams as modelers do. On stdin: {packages, way: 'moddle' | 'modeler', diagrams: {name: xml}}. On stdout: {name: {xml} | {refused}}.
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const { readFileSync } = require('node:fs');
const { openModeler } = require('./browser.cjs');

async function withModdle(packages) {
  const inside = (...parts) => join(packages, 'node_modules', ...parts);
  const { BpmnModdle } = await import(pathToFileURL(inside('bpmn-moddle', 'dist', 'index.js')));
  const camunda = JSON.parse(readFileSync(inside('camunda-bpmn-moddle', 'resources', 'camunda.json'), 'utf8'));
  const moddle = new BpmnModdle({ camunda });
  return async (xml) => {
    const { rootElement } = await moddle.fromXML(xml);
    return (await moddle.toXML(rootElement, { format: true })).xml;
  };
}

function withModeler(packages) {
  const open = openModeler(packages);
  return async (xml) => {
    const modeler = open();
    try {
      await modeler.importXML(xml);
      return (await modeler.saveXML({ format: true })).xml;
    } finally {
      modeler.destroy();
    }
  };
}

async function main() {
  const { packages, way, diagrams } = JSON.parse(readFileSync(0, 'utf8'));
  console.error = console.warn = () => {}; // the modeler's own talk
  const save = way === 'moddle' ? await withModdle(packages) : withModeler(packages);
  const saved = {};
  for (const [name, xml] of Object.entries(diagrams)) {
    try {
      saved[name] = { xml: await save(xml) };
    } catch (error) {
      saved[name] = { refused: String(error.message) };
    }
  }
  process.stdout.write(JSON.stringify(saved), () => process.exit(0));
}

main().catch((error) => { process.stdout.write(JSON.stringify({ failed: String(error.stack) }), () => process.exit(1)); });
