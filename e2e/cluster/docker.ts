import { run } from './command.ts';

let answer: Promise<boolean> | undefined;

/** Whether the Docker engine that this shell is set up for answers. Asked once per command. */
export function hasDockerEngine(): Promise<boolean> {
  answer ??= run(['docker', 'info', '--format', '{{.ServerVersion}}'], { allowFailure: true }).then(
    // Exit code 0 alone does not say so: some clients print the error and an empty version.
    ({ code, stdout }) => code === 0 && stdout.trim() !== '',
  );
  return answer;
}

/** Whether an image is in the engine or can be pulled into it; false where there is no way to a registry. */
export async function canPull(image: string): Promise<boolean> {
  const local = await run(['docker', 'image', 'inspect', image], { allowFailure: true });
  return local.code === 0 || (await run(['docker', 'pull', '--quiet', image], { allowFailure: true })).code === 0;
}
