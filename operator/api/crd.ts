import { z } from 'zod';
import { phaseMigrationRunSpec, phaseMigrationRunStatus } from './phase-migration-run.ts';
import { phaseMigrationRules, phaseMigrationSpec, phaseMigrationStatus } from './phase-migration.ts';
import { API_VERSION, GROUP, VERSION } from './names.ts';

type Json = Record<string, unknown>;

interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description: string;
  priority?: number;
}

interface CustomResource {
  kind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  description: string;
  spec: z.ZodType;
  status: z.ZodType;
  rules: unknown[];
  columns: PrinterColumn[];
  selectableFields: string[];
}

export const customResources: CustomResource[] = [
  {
    kind: 'PhaseMigration',
    plural: 'phasemigrations',
    singular: 'phasemigration',
    shortNames: ['pm'],
    description: 'A breaking PostgreSQL migration of an application: what is wanted, and a summary of what happened.',
    spec: phaseMigrationSpec,
    status: phaseMigrationStatus,
    rules: phaseMigrationRules,
    columns: [
      { name: 'From', type: 'string', jsonPath: '.spec.migrations.from', description: 'Revision before.' },
      { name: 'To', type: 'string', jsonPath: '.spec.migrations.to', description: 'Revision after.' },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Summary of the state.' },
      {
        name: 'Step',
        type: 'string',
        jsonPath: '.status.currentStep',
        description: 'Furthest step begun, or the one that failed.',
      },
      {
        name: 'Revision',
        type: 'string',
        jsonPath: '.status.revision',
        description: 'Revision last seen in the database.',
      },
      {
        name: 'Outage ms',
        type: 'integer',
        jsonPath: '.status.outage.milliseconds',
        description: 'Length of the outage.',
      },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
      {
        name: 'Message',
        type: 'string',
        jsonPath: '.status.conditions[?(@.type=="Ready")].message',
        description: 'What happened and what to do next.',
        priority: 1,
      },
    ],
    selectableFields: ['.status.phase', '.spec.state'],
  },
  {
    kind: 'PhaseMigrationRun',
    plural: 'phasemigrationruns',
    singular: 'phasemigrationrun',
    shortNames: ['pmr'],
    description: 'One attempt to carry a PhaseMigration out: created by the operator, answered by the runner.',
    spec: phaseMigrationRunSpec,
    status: phaseMigrationRunStatus,
    rules: [],
    columns: [
      {
        name: 'Migration',
        type: 'string',
        jsonPath: '.spec.phaseMigrationRef.name',
        description: 'The PhaseMigration.',
      },
      { name: 'Direction', type: 'string', jsonPath: '.spec.direction', description: 'Up or Down.' },
      { name: 'Goal', type: 'string', jsonPath: '.spec.goal', description: 'How far the runner may go.' },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Summary of the state.' },
      {
        name: 'Step',
        type: 'string',
        jsonPath: '.status.currentStep',
        description: 'Furthest step begun, or the one that failed.',
      },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
    ],
    selectableFields: ['.status.phase', '.spec.phaseMigrationRef.name'],
  },
];

/**
 * The structural OpenAPI v3 schema of a zod schema, as a CustomResourceDefinition takes it: no `additionalProperties:
 * false` (the API server prunes or, under strict validation, refuses unknown fields by itself) and no `$schema`.
 */
export function structuralSchema(schema: z.ZodType): Json {
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'throw' });
  return clean(json) as Json;
}

function clean(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(clean);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node)
    .filter(
      ([key, value]) =>
        !(key === '$schema' || key === 'propertyNames' || (key === 'additionalProperties' && value === false)),
    )
    .map(([key, value]) => [key, key === 'default' ? value : clean(value)] as const);
  const result: Json = Object.fromEntries(entries);
  // The API server counts bounds in int64; JavaScript's safe-integer bounds say nothing there.
  for (const key of ['minimum', 'maximum'])
    if (Math.abs(Number(result[key])) === Number.MAX_SAFE_INTEGER) delete result[key];
  if (result.type === 'integer' && !result.format) result.format = 'int64';
  return result;
}

/** The CustomResourceDefinition of a resource, ready to be written as YAML. */
export function customResourceDefinition(resource: CustomResource): Json {
  const { kind, plural, singular, shortNames } = resource;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames, categories: ['phasemigration'] },
      scope: 'Namespaced',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: resource.columns,
          selectableFields: resource.selectableFields.map((jsonPath) => ({ jsonPath })),
          schema: { openAPIV3Schema: rootSchema(resource) },
        },
      ],
    },
  };
}

function rootSchema(resource: CustomResource): Json {
  const root: Json = {
    type: 'object',
    description: resource.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: `Always ${API_VERSION}.` },
      kind: { type: 'string', description: `Always ${resource.kind}.` },
      metadata: { type: 'object' },
      spec: structuralSchema(resource.spec),
      // kstatus: a status that was never written must not look like one of the current generation.
      status: { ...structuralSchema(resource.status), default: { observedGeneration: -1 } },
    },
  };
  if (resource.rules.length > 0) root['x-kubernetes-validations'] = resource.rules;
  return root;
}
