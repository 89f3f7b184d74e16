/**
 * For the end of the present turn: `void SOON.then(task)`. `queueMicrotask` makes an asynchronous resource each time, which
 * costs more.
 */
export const SOON: Promise<void> = Promise.resolve();
