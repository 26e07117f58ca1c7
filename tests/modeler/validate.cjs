// Holds element templates against their published JSON schema. On stdin: {packages, templates}. On stdout: what is wrong, one text each.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const { packages, templates } = JSON.parse(readFileSync(0, 'utf8'));
const { validateAll } = require(join(packages, 'node_modules', '@bpmn-io', 'element-templates-validator', 'dist', 'index.cjs'));
const results = validateAll(templates).results.filter(({ valid }) => !valid);
process.stdout.write(JSON.stringify(results.map(({ errors }) => JSON.stringify(errors))));
