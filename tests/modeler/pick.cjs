// Picks element templates and fills them in, as an analyst does in the modeler. On stdin: {packages, diagram, templates, picks}, where
// a pick is {element, template, inputs: {name: text}, outputs: {name of the data item: expression}}; a pick without inputs is left as
// the modeler makes it. On stdout: {xml, doubted}: the diagram, and what the modeler marks in red.
const { readFileSync } = require('node:fs');
const { openModeler } = require('./browser.cjs');

function fill(modeler, element, template, pick) {
  const extensions = element.businessObject.get('extensionElements').get('values');
  const parameters = extensions.find((each) => each.$type === 'camunda:InputOutput');
  const set = (object, properties) => modeler.get('modeling').updateModdleProperties(element, object, properties);
  const create = (type, properties) => modeler.get('bpmnFactory').create(type, properties);
  const offered = parameters.get('inputParameters');
  for (const parameter of offered) {
    set(parameter, { value: pick.inputs[parameter.name] });
  }
  const further = Object.keys(pick.inputs).filter((name) => !offered.some((each) => each.name === name));
  if (further.length && !template.entriesVisible) {
    throw new Error(`${template.id} gives no room for ${further}`);
  }
  const added = further.map((name) => create('camunda:InputParameter', { name, value: pick.inputs[name] }));
  const sources = Object.fromEntries(Object.entries(pick.outputs).map(([item, source]) => [source, item]));
  const wanted = parameters.get('outputParameters').filter(({ value }) => value in sources); // the others are switched off
  wanted.forEach((parameter) => set(parameter, { name: sources[parameter.value] }));
  set(parameters, { inputParameters: [...offered, ...added], outputParameters: wanted });
}

function doubted(template, inputs) {
  const fits = ({ constraints = {}, choices }, text = '') =>
    !(constraints.notEmpty && !text) &&
    !(constraints.pattern && !new RegExp(constraints.pattern.value).test(text)) &&
    !(choices && !choices.some(({ value }) => value === text));
  return template.properties
    .filter(({ binding }) => binding.type === 'camunda:inputParameter')
    .filter((property) => !fits(property, inputs[property.binding.name]))
    .map(({ binding }) => `${template.id}: ${binding.name}`);
}

async function main() {
  const { packages, diagram, templates, picks } = JSON.parse(readFileSync(0, 'utf8'));
  const modeler = openModeler(packages)();
  await modeler.importXML(diagram);
  modeler.get('elementTemplatesLoader').setTemplates(templates);
  const known = modeler.get('elementTemplates');
  const marked = [];
  for (const pick of picks) {
    const template = known.get(pick.template);
    const latest = template || known.getLatest(pick.template)[0];
    const element = known.applyTemplate(modeler.get('elementRegistry').get(pick.element), latest);
    if (pick.inputs) {
      fill(modeler, element, latest, pick);
      marked.push(...doubted(latest, pick.inputs));
    }
  }
  const { xml } = await modeler.saveXML({ format: true });
  process.stdout.write(JSON.stringify({ xml, doubted: marked }), () => process.exit(0));
}

main().catch((error) => { process.stdout.write(String(error.stack), () => process.exit(1)); });
