using KeycloakCreditBridge.Cli.Reconcile;
using KeycloakCreditBridge.Reconciliation;

namespace KeycloakCreditBridge.Tests.Cli.Reconcile;

public sealed class ReconcileDisplayTests
{
    private static readonly ReconcileProgress First = new("shop", 1_000_000, new ReconcileCounts(), 0, null);

    private static readonly ReconcileProgress Later =
        new("shop", 1_000_000, new ReconcileCounts(Seen: 110_000, Missing: 7), 1300, TimeSpan.FromSeconds(684));

    [Fact]
    public void Before_the_first_users_are_read_it_says_what_is_done()
    {
        Assert.Equal("shop: reading the first of 1000000 users", ReconcileDisplay.Label(First));
        Assert.Equal("shop: reading the first users", ReconcileDisplay.Describe(First with { Expected = null }));
    }

    [Fact]
    public void The_time_left_is_the_run_s_own_estimate()
    {
        Assert.Equal("shop: 7 missing, 0:11:24 left", ReconcileDisplay.Label(Later));
        Assert.EndsWith(", 0:11:24 left", ReconcileDisplay.Describe(Later), StringComparison.Ordinal);
        Assert.EndsWith("26:00:00 left", ReconcileDisplay.Label(Later with { Left = TimeSpan.FromHours(26) }), StringComparison.Ordinal);
        Assert.Equal("shop: 110000 seen, 7 missing", ReconcileDisplay.Label(Later with { Left = null }));
    }
}
