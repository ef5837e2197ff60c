/** Every fourth of the shipped scenarios, from number 3 on: see shipped-walk.ts. */
import { walkShipped } from "./shipped-walk.ts";

walkShipped(2, 4);
