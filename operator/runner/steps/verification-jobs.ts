import { StepFailure } from '../core/failure.ts';
import { runStep, stepOf, type Evidence, type Work } from '../work.ts';

/**
 * Lets the verification Jobs begin and waits until each has said, by its exit code, whether the data is right. They need
 * to see the migrated data, so this comes after COMMIT.
 */
export function verificationJobs(work: Work): Promise<void> {
  const JOBS = /(; )?\d+ of \d+ verification Jobs succeeded/;
  const checks = stepOf(work.reporter.status, 'Verify')?.message?.replace(JOBS, '').replace(/\.$/, '');
  return runStep(work, 'Verify', 'VerificationJobFailed', async (evidence) => {
    Object.assign(evidence, earlierEvidence(work));
    work.reporter.update({ verificationReleased: true });
    await work.reporter.flush();
    if (work.gate) work.gate.released = true;
    const waitFor = work.spec.plan.verification.jobs.map(({ name }) => name);
    for (;;) {
      const jobs = (work.latest().status?.verificationJobs ?? []).filter(({ epoch }) => epoch === work.epoch);
      const failed = jobs.filter(({ state }) => state === 'Failed');
      if (failed.length > 0) {
        const list = failed.map(
          ({ name, jobName, message }) =>
            `verification "${name}" (Job ${jobName}) failed: ${message ?? 'it said nothing'}`,
        );
        throw new StepFailure('VerificationJobFailed', list.join('\n'));
      }
      const succeeded = new Set(jobs.filter(({ state }) => state === 'Succeeded').map(({ name }) => name));
      evidence['jobs'] = `${succeeded.size} of ${waitFor.length} succeeded`;
      if (waitFor.every((name) => succeeded.has(name)))
        return `${checks ? `${checks}; ` : ''}${succeeded.size} of ${waitFor.length} verification Jobs succeeded.`;
      await work.changed();
    }
  });
}

/** The checks were asked inside the transaction; what they showed stays in the step's record. */
function earlierEvidence(work: Work): Evidence {
  const { milliseconds, ...rest } = work.reporter.status.steps?.find(({ name }) => name === 'Verify')?.evidence ?? {};
  return milliseconds ? { ...rest, checksMilliseconds: milliseconds } : rest;
}
