using CsCheck;

namespace KeycloakCreditBridge.Tests.Grants.Lots;

/// <summary>Random histories of one account.</summary>
internal static class Walk
{
    /// <summary>Rows in the order of time; refunds and voids mostly name rows before them, and a grant is voided at most once.</summary>
    public static Gen<IReadOnlyList<ModelRow>> Rows(int longest) =>
        Gen.Select(Gen.Int[0, 99], Gen.Int[0, 3], Gen.Int[1, 9], Gen.Int[0, 1_000_000], Gen.Int[0, 1_000_000])
            .Array[1, longest]
            .Select(Compose);

    private static IReadOnlyList<ModelRow> Compose((int Kind, int Pause, int Amount, int Pick, int Choice)[] steps)
    {
        List<ModelRow> rows = [];
        List<string> debits = [];
        List<string> grants = [];
        Dictionary<string, decimal> amounts = [];
        var at = 0L;
        foreach (var (kind, pause, amount, pick, choice) in steps)
        {
            at += pause;
            var number = rows.Count;
            if (kind < 40)
            {
                long? ends = choice % 3 == 0 ? null : at + (choice % 13);
                rows.Add(new ModelRow.Grant(at, $"g{number}", amount, ends, pick % 2 == 0 ? 10 : 50, pick % 10 < 3));
                grants.Add($"g{number}");
                amounts.Add($"g{number}", amount);
            }
            else if (kind < 70)
            {
                rows.Add(new ModelRow.Debit(at, $"u{number}", amount));
                debits.Add($"u{number}");
            }
            else if (kind < 85 && debits.Count > 0)
            {
                var of = pick % (debits.Count + 1);
                rows.Add(new ModelRow.Refund(at, $"r{number}", ((amount - 1) % 5) + 1, of == debits.Count ? null : debits[of]));
            }
            else if (kind < 93 && grants.Count > 0)
            {
                var of = grants[pick % grants.Count];
                grants.Remove(of);
                rows.Add(new ModelRow.Void(at, $"v{number}", amounts[of], of, (ModelBeyond)(choice % 3)));
            }
            else
            {
                rows.Add(new ModelRow.Forfeit(at, $"f{number}", KeepPaid: choice % 10 < 7));
            }
        }

        return rows;
    }
}
