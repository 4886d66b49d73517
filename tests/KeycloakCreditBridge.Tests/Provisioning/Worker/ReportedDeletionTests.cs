using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Tests.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Provisioning.Worker;

/// <summary>Senders keep no order: a change may be reported after the deletion of its user.</summary>
public sealed class ReportedDeletionTests(PostgresFixture postgres)
{
    private const string User = "/admin/realms/shop/users/ana";
    private const string NotFound = """{"error":"User not found"}""";
    private const string Ana = """{"id":"ana","username":"ana","enabled":true,"createdTimestamp":1795406457734}""";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_deletion_is_completed_at_once_although_a_change_was_reported_after_it(bool known)
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        if (known)
        {
            bench.Server.On(User, ScriptedKeycloak.Says(200, Ana), ScriptedKeycloak.Says(404, NotFound));
            await bench.HintAsync("ana");
            await bench.WorkAsync();
        }
        else
        {
            bench.Server.On(User, ScriptedKeycloak.Says(404, NotFound));
        }

        await bench.HintAsync("ana", HintKind.Deleted);
        await bench.HintAsync("ana");
        await bench.WorkAsync();

        Assert.Equal(known ? ["ana closed"] : [], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
        Assert.Equal("deleted", await bench.Database.ScalarAsync<string>("select user_state from keycloak_users"));
    }

    [Fact]
    public async Task A_user_that_was_reported_deleted_and_then_changed_is_evaluated_at_once_while_Keycloak_has_it()
    {
        await using var bench = await WorkerFixture.StartAsync(postgres);
        bench.Server.On(User, ScriptedKeycloak.Says(200, Ana));
        await bench.HintAsync("ana", HintKind.Deleted);
        await bench.HintAsync("ana");
        await bench.WorkAsync();
        Assert.Equal(["ana active"], await bench.AccountsAsync());
        Assert.Empty(await bench.HintsAsync());
    }
}
