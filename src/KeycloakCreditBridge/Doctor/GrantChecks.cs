using System.Globalization;
using KeycloakCreditBridge.Doctor.Findings;
using KeycloakCreditBridge.Grants.Lots;
using KeycloakCreditBridge.Grants.Sweep;

namespace KeycloakCreditBridge.Doctor;

/// <summary>Whether credits end when they should, and whether balances and checkpoints are what the ledger says.</summary>
internal sealed class GrantChecks(SweepBacklogStore sweep, LedgerCheckStore ledger)
{
    private const int MostAccounts = 10_000;
    private const int MostCheckpoints = 50;

    // A sweep takes a while after many ends at once, and leaves locked accounts to the next one. The alert has the same limit.
    private static readonly TimeSpan LateAfter = TimeSpan.FromMinutes(15);

    public async Task<Finding> SweepAsync(CancellationToken cancellationToken)
    {
        var backlog = await sweep.ReadAsync(cancellationToken);
        return backlog.OldestSeconds > LateAfter.TotalSeconds
            ? Finding.Warn(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"ended credits of {backlog.Accounts} accounts are not booked out, the oldest since {backlog.OldestSeconds:0} s; "
                    + $"they are not spendable"),
                "check that a service with Reconciliation:Enabled runs: its schedule sweeps ended credits")
            : Finding.Ok(backlog.Accounts == 0 ? "no ended credits wait" : "ended credits are swept in time");
    }

    public async Task<Finding> SumsAsync(CancellationToken cancellationToken)
    {
        var wrong = await ledger.UnbalancedAsync(MostAccounts, cancellationToken);
        return wrong.Count == 0
            ? Finding.Ok("balances are the sums of their ledgers, where they changed last")
            : Finding.Fail(
                $"the balances of {wrong.Count} accounts are not the sums of their ledgers, such as {wrong[0]}",
                "find the program that writes user_credits or credit_transactions alone, then correct each with an entry in the ledger");
    }

    public async Task<Finding> CheckpointsAsync(CancellationToken cancellationToken)
    {
        var wrong = await ledger.OutdatedCheckpointsAsync(MostCheckpoints, cancellationToken);
        return wrong.Count == 0
            ? Finding.Ok("checkpoints agree with their ledgers")
            : Finding.Fail(
                $"the checkpoints of {wrong.Count} accounts differ from their ledgers, such as {wrong[0]}",
                "run `delete from lot_checkpoints`: they are made again. Find the program that changed or deleted ledger rows");
    }
}
