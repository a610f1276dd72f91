import { z } from 'zod';

/** A Kubernetes object name (RFC 1123 subdomain; Job and pod names derived from it must still fit in 63). */
export const objectName = (description: string, max = 253) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
    .describe(description);

/** A migration's revision: letters, digits, dot and dash; what stands before the first underscore in its file name. */
export const revision = (description: string) =>
  z
    .string()
    .min(1)
    .max(63)
    .regex(/^[0-9A-Za-z]([-.0-9A-Za-z]*[0-9A-Za-z])?$/)
    .describe(description);

export const int32 = (min: number, max: number, description: string) =>
  z.int32().min(min).max(max).describe(description);

export const text = (max: number, description: string) => z.string().max(max).describe(description);

/** RFC 3339 with a fraction, as the API server's `date-time` format takes it. */
export const time = (description: string) => z.string().meta({ format: 'date-time', description });

export const sql = (description: string) => z.string().min(1).max(65_536).describe(description);

/** An `x-kubernetes-validations` rule. */
export interface CelRule {
  rule: string;
  message?: string;
  messageExpression?: string;
  fieldPath?: string;
  reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate';
}

export const cel = (...rules: CelRule[]) => ({ 'x-kubernetes-validations': rules });
export const mapList = (...keys: string[]) => ({
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
});
export const setList = { 'x-kubernetes-list-type': 'set' };
export const atomicList = { 'x-kubernetes-list-type': 'atomic' };

/** metav1.Condition, to the letter. */
export const condition = z
  .object({
    type: z.string().max(316).describe('CamelCase type of the condition.'),
    status: z.enum(['True', 'False', 'Unknown']).describe('Status of the condition.'),
    observedGeneration: z.int().min(0).optional().describe('The generation that the condition was set for.'),
    lastTransitionTime: time('When the status last changed.'),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .describe('One CamelCase word; documented in docs/api-reference.md as part of the contract.'),
    message: z.string().max(32_768).describe('A sentence for people: what happened, on which object, what to do next.'),
  })
  .describe('One aspect of the current state.');
export type Condition = z.infer<typeof condition>;

export const conditions = z
  .array(condition)
  .max(16)
  .meta({ ...mapList('type'), description: 'The state in Kubernetes terms (kstatus).' });
