using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation.Scans.Database;

/// <summary>Which users of Keycloak's database need reading at all.</summary>
public sealed class RealmComparisonTests(PostgresFixture postgres) : IAsyncLifetime
{
    private const int Users = 120;

    private ReconciliationFixture _fixture = null!;
    private KeycloakTables _tables = null!;
    private BridgeFixture _bridge = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await ReconciliationFixture.StartAsync(postgres, Users);
        _fixture.Realm.AddUser(
            new EmulatedUser("robot", "service-account-robot") { ServiceAccountClientId = "robot", CreatedTimestamp = 5 });
        _fixture.Realm.ChangeUser((await _fixture.UserIdsAsync())[7], user => user with { Enabled = false });
        _tables = await KeycloakTables.CreateAsync(postgres);
        _bridge = BridgeFixture.Build(_fixture.Database, _fixture.Keycloak, _tables.Setting);
        await RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _bridge.DisposeAsync();
        await _tables.DisposeAsync();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public async Task No_user_is_read_where_nothing_differs()
    {
        var compared = await CompareAsync();
        Assert.Equal(Users, compared.Unchanged);
        Assert.Empty(compared.Differing!);
    }

    [Theory]
    [InlineData("update keycloak_users set user_state = 'held' where keycloak_id = @id")]
    [InlineData("update keycloak_users set reason = 'account_id_taken' where keycloak_id = @id")]
    [InlineData("update keycloak_users set user_state = 'deleted' where keycloak_id = @id")]
    [InlineData("delete from keycloak_users where keycloak_id = @id")]
    [InlineData("delete from user_credits where user_id = @id")]
    [InlineData("update user_credits set status = 'closed', status_reason = 'deleted' where user_id = @id")]
    [InlineData("update user_credits set status = 'held', status_reason = 'disabled' where user_id = @id")]
    [InlineData(
        "with ledger as (update credit_transactions set user_id = 'another' where user_id = @id), "
        + "audit as (update audit_logs set user_id = 'another' where user_id = @id) "
        + "update user_credits set user_id = 'another' where user_id = @id")]
    [InlineData("update user_credits set keycloak_id = 'another' where user_id = @id")]
    [InlineData("update user_credits set realm = null, keycloak_id = null where user_id = @id")]
    [InlineData("update user_credits set grant_pending = true where user_id = @id")]
    public async Task A_user_that_differs_from_the_record_is_read_with_the_few_of_its_bucket(string change)
    {
        var id = (await _fixture.UserIdsAsync())[50];
        await _fixture.Database.ExecuteAsync(change, new { id });

        var compared = await CompareAsync();

        Assert.InRange(compared.Differing!.Count, 1, 2);
        Assert.InRange(compared.Unchanged, Users - 10, Users - 1);
        Assert.Equal(Users, (await RunAsync()).Counts.Seen);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("created_at + interval '1 day'")]
    [InlineData("'9999-12-31 23:59:59.999+00'")]
    public async Task A_creation_time_that_differs_from_the_record_is_corrected(string recorded)
    {
        var id = (await _fixture.UserIdsAsync())[50];
        await _fixture.Database.ExecuteAsync($"update keycloak_users set created_at = {recorded} where keycloak_id = @id", new { id });
        Assert.Single((await CompareAsync()).Differing!);
        Assert.Equal(Users, (await RunAsync()).Counts.Seen);
        Assert.Empty((await CompareAsync()).Differing!);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(-5L)]
    [InlineData(0L)]
    [InlineData(long.MinValue)]
    [InlineData(long.MaxValue)]
    public async Task A_creation_of_any_kind_is_the_same_on_both_sides(long? created)
    {
        _fixture.Realm.AddUser(new EmulatedUser("odd", "odd") { CreatedTimestamp = created });
        await RunAsync();
        Assert.Empty((await CompareAsync()).Differing!);
    }

    [Fact]
    public async Task An_account_that_an_operator_holds_is_read_and_left_as_it_is()
    {
        var id = (await _fixture.UserIdsAsync())[50];
        await _fixture.Database.ExecuteAsync(
            "update user_credits set status = 'held', status_reason = 'fraud' where user_id = @id", new { id });
        Assert.Single((await CompareAsync()).Differing!);
        Assert.Equal(new ReconcileCounts(Seen: Users), (await RunAsync()).Counts);
        Assert.Equal(
            "fraud", await _fixture.Database.ScalarAsync<string>("select status_reason from user_credits where user_id = @id", new { id }));
    }

    [Fact]
    public async Task Every_user_is_read_where_much_differs()
    {
        await _fixture.Database.ExecuteAsync("delete from keycloak_users");
        Assert.Null((await CompareAsync()).Differing);
    }

    private Task<ComparedRealm> CompareAsync() =>
        _bridge.Services.GetRequiredService<RealmComparison>().CompareAsync(EmulatorFixture.Realm, TestContext.Current.CancellationToken);

    private async Task<ReconcileOutcome> RunAsync()
    {
        await _tables.CopyAsync(_fixture.Keycloak);
        return await ReconciliationFixture.RunAsync(
            _bridge, ReconciliationFixture.By(ReconcileMode.Database), null, TestContext.Current.CancellationToken);
    }
}
