/**
 * What goes before a command so that the kernel sends it this signal as soon as this process is gone, however it ended:
 * a killed test leaves nothing working on. On Linux only.
 */
export function endsWithUs(signal: 'TERM' | 'KILL'): string[] {
  return process.platform === 'linux' ? ['setpriv', `--pdeathsig=${signal}`, '--'] : [];
}
