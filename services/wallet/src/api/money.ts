import { z } from "zod";

/** An amount as answers have it. */
export const Money = z.string().meta({ description: "Decimal text.", example: "0.012" });
