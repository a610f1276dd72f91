/** The borders between the rooms. A folder knows only its neighbours; see docs/architecture.md for the picture. */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from, pathNot: '\\.test\\.ts$' },
  to: { path: '^(operator|migrations|examples|e2e|bench|faults|setup)/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('api-knows-nobody', '^operator/api/', ['^operator/api/'], 'The schema is the bottom of everything.'),
    only('kube-knows-api', '^operator/kube/', ['^operator/(kube|api)/'], 'The Kubernetes toolkit knows no policy.'),
    only(
      'controller',
      '^operator/controller/',
      ['^operator/(controller|kube|api)/'],
      'The controller never touches a database.',
    ),
    only('runner', '^operator/runner/', ['^operator/(runner|kube|api)/'], 'The runner never imports the controller.'),
    {
      name: 'decide-is-pure',
      comment: 'decide has no I/O and no clock of its own, so that it can be tested against every history.',
      severity: 'error',
      from: {
        path: '^operator/controller/decide/',
        pathNot: ['\\.test\\.ts$', '^operator/controller/decide/simulation/'],
      },
      to: { pathNot: ['^operator/(controller/decide|api)/', '^(node:)?crypto$'], dependencyTypesNot: ['type-only'] },
    },
    only(
      'planner-is-a-stranger',
      '^examples/',
      ['^(examples|migrations)/'],
      'The example application knows nothing of the operator.',
    ),
    only('migrations-are-strangers', '^migrations/', ['^migrations/'], 'Migrations are what a user writes.'),
    only(
      'faults',
      '^faults/',
      ['^(faults|operator)/', '^e2e/cluster/', '^e2e/suite/results.ts$', '^setup/bundle.ts$'],
      'The fault sweep stands beside the product and needs nothing of whole clusters.',
    ),
    {
      name: 'faults-are-for-tests',
      severity: 'error',
      from: { pathNot: '^(faults|e2e/suite)/' },
      to: { path: '^faults/' },
    },
    {
      name: 'database-only-in-the-runner',
      severity: 'error',
      from: { path: '^operator/(api|kube|controller)/' },
      to: { path: '^node_modules/(pg|umzug)' },
    },
    {
      name: 'not-to-tests',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$' },
      to: { path: '\\.test\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: 'specify',
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
