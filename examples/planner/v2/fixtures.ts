import { field, type Answer } from '../api-client.ts';
import type { Testbed } from '../testbed.ts';

export const phasePath = (id: string) => `/api/v1/phases/${id}`;

/** A new project from January to March with a phase each month. */
export async function threeMonths(bed: Testbed) {
  const { id, phaseId: january } = await bed.newProject('2026-01-01', '2026-03-31');
  idOf(await bed.api.put(phasePath(january), { name: 'January', end_date: '2026-01-31' }));
  const add = async (name: string, start_date: string, end_date: string) =>
    idOf(await bed.api.post(`/api/v1/projects/${id}/phases`, { name, start_date, end_date }));
  const february = await add('February', '2026-02-01', '2026-02-28');
  return { id, january, february, march: await add('March', '2026-03-01', '2026-03-31') };
}

function idOf({ status, body }: Answer): string {
  if (status >= 300) throw new Error(`The planner answered ${status}: ${JSON.stringify(body)}`);
  return field(body, 'id') as string;
}
