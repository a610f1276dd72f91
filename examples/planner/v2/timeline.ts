/** A phase as the timeline sees it; days are text like 2026-01-31, which sorts by time. */
export interface Span {
  name: string;
  start_date: string;
  end_date: string;
}

export interface TimelineProblem {
  code: 'PhaseOutsideProject' | 'PhasesOverlap' | 'GapBetweenPhases' | 'LastPhase' | 'DatesOutOfOrder';
  message: string;
}

export interface Limits {
  start_date: string | null;
  end_date: string | null;
}

/**
 * Why these phases cannot be the phases of a project, or undefined when they can: at least one, each within the
 * project, each beginning the day after the one before it ends.
 *
 * The first days and the last days of a project may be without a phase. Otherwise no phase could ever be added: making
 * room for it would already be refused.
 */
export function timelineProblem(project: Limits, phases: readonly Span[]): TimelineProblem | undefined {
  if (phases.length === 0) return { code: 'LastPhase', message: 'The last phase of a project cannot be deleted.' };
  const inOrder = [...phases].sort((a, b) => a.start_date.localeCompare(b.start_date));
  const problems = [
    ...inOrder.map((phase) => problemOfOne(project, phase)),
    ...inOrder.slice(1).map((phase, i) => problemOfTwo(inOrder[i]!, phase)),
  ];
  return problems.find((problem) => problem !== undefined);
}

/** The day after a day. */
export function dayAfter(day: string): string {
  return shift(day, 1);
}

function problemOfOne(project: Limits, phase: Span): TimelineProblem | undefined {
  if (phase.start_date > phase.end_date)
    return { code: 'DatesOutOfOrder', message: `The phase ${describe(phase)} ends before it begins.` };
  const { start_date: first, end_date: last } = project;
  const outside = (first !== null && phase.start_date < first) || (last !== null && phase.end_date > last);
  if (!outside) return undefined;
  const limits = `${first ?? 'any day'} to ${last ?? 'any day'}`;
  return {
    code: 'PhaseOutsideProject',
    message: `The phase ${describe(phase)} is not within its project (${limits}).`,
  };
}

function problemOfTwo(earlier: Span, later: Span): TimelineProblem | undefined {
  if (later.start_date <= earlier.end_date) {
    return { code: 'PhasesOverlap', message: `The phases ${describe(earlier)} and ${describe(later)} overlap.` };
  }
  if (later.start_date === dayAfter(earlier.end_date)) return undefined;
  const gap = `${dayAfter(earlier.end_date)} to ${shift(later.start_date, -1)}`;
  return {
    code: 'GapBetweenPhases',
    message: `No phase would cover ${gap}, between ${describe(earlier)} and ${describe(later)}.`,
  };
}

function describe({ name, start_date, end_date }: Span): string {
  return `"${name}" (${start_date} to ${end_date})`;
}

function shift(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}
