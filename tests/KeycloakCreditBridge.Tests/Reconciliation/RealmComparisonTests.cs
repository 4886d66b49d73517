using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Scans.Database;
using KeycloakCreditBridge.Sandbox.Emulator;
using KeycloakCreditBridge.Tests.Sandbox;
using KeycloakCreditBridge.Tests.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace KeycloakCreditBridge.Tests.Reconciliation;

/// <summary>Which users of Keycloak's database need reading at all.</summary>
public sealed class RealmComparisonTests(PostgresServer postgres) : IAsyncLifetime
{
    private const int Users = 120;

    private ReconcileBundle _bundle = null!;
    private KeycloakTables _tables = null!;
    private BridgeHost _bridge = null!;

    public async ValueTask InitializeAsync()
    {
        _bundle = await ReconcileBundle.StartAsync(postgres, Users);
        _bundle.Realm.AddUser(new EmulatedUser("robot", "service-account-robot") { ServiceAccountClientId = "robot", CreatedTimestamp = 5 });
        _bundle.Realm.ChangeUser((await _bundle.PeopleAsync())[7], user => user with { Enabled = false });
        _tables = await KeycloakTables.CreateAsync(postgres);
        _bridge = BridgeHost.Build(_bundle.Database, _bundle.Keycloak, _tables.Setting);
        await RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _bridge.DisposeAsync();
        await _tables.DisposeAsync();
        await _bundle.DisposeAsync();
    }

    [Fact]
    public async Task Nobody_is_read_where_nothing_differs()
    {
        var compared = await CompareAsync();
        Assert.Equal(Users, compared.Unchanged);
        Assert.Empty(compared.Differing!);
    }

    [Theory]
    [InlineData("update keycloak_users set disposition = 'held' where keycloak_id = @id")]
    [InlineData("update keycloak_users set reason = 'account_id_taken' where keycloak_id = @id")]
    [InlineData("update keycloak_users set disposition = 'deleted' where keycloak_id = @id")]
    [InlineData("delete from keycloak_users where keycloak_id = @id")]
    [InlineData("delete from user_credits where user_id = @id")]
    [InlineData("update user_credits set status = 'closed', status_reason = 'deleted' where user_id = @id")]
    [InlineData("update user_credits set status = 'held', status_reason = 'disabled' where user_id = @id")]
    [InlineData("with moved as (update credit_transactions set user_id = 'another' where user_id = @id), told as (update audit_logs set user_id = 'another' where user_id = @id) update user_credits set user_id = 'another' where user_id = @id")]
    [InlineData("update user_credits set keycloak_id = 'another' where user_id = @id")]
    [InlineData("update user_credits set realm = null, keycloak_id = null where user_id = @id")]
    public async Task Whoever_is_not_as_recorded_is_read_with_the_few_of_the_same_bucket(string change)
    {
        var id = (await _bundle.PeopleAsync())[50];
        await _bundle.Database.ExecuteAsync(change, new { id });

        var compared = await CompareAsync();

        Assert.InRange(compared.Differing!.Count, 1, 2);
        Assert.InRange(compared.Unchanged, Users - 10, Users - 1);
        Assert.Equal(Users, (await RunAsync()).Counts.Seen);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("created_at + interval '1 day'")]
    [InlineData("'9999-12-31 23:59:59.999+00'")]
    public async Task A_creation_that_is_not_as_recorded_is_put_right(string recorded)
    {
        var id = (await _bundle.PeopleAsync())[50];
        await _bundle.Database.ExecuteAsync($"update keycloak_users set created_at = {recorded} where keycloak_id = @id", new { id });
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
        _bundle.Realm.AddUser(new EmulatedUser("odd", "odd") { CreatedTimestamp = created });
        await RunAsync();
        Assert.Empty((await CompareAsync()).Differing!);
    }

    [Fact]
    public async Task An_account_that_an_operator_holds_is_looked_at_and_left_as_it_is()
    {
        var id = (await _bundle.PeopleAsync())[50];
        await _bundle.Database.ExecuteAsync("update user_credits set status = 'held', status_reason = 'fraud' where user_id = @id", new { id });
        Assert.Single((await CompareAsync()).Differing!);
        Assert.Equal(new ReconcileCounts(Seen: Users), (await RunAsync()).Counts);
        Assert.Equal("fraud", await _bundle.Database.ScalarAsync<string>("select status_reason from user_credits where user_id = @id", new { id }));
    }

    [Fact]
    public async Task Everybody_is_read_where_much_differs()
    {
        await _bundle.Database.ExecuteAsync("delete from keycloak_users");
        Assert.Null((await CompareAsync()).Differing);
    }

    private Task<ComparedRealm> CompareAsync() =>
        _bridge.Services.GetRequiredService<RealmComparison>().CompareAsync(EmulatorDriver.Realm, TestContext.Current.CancellationToken);

    private async Task<ReconcileOutcome> RunAsync()
    {
        await _tables.CopyAsync(_bundle.Keycloak);
        return await ReconcileBundle.RunAsync(_bridge, ReconcileBundle.By(ReconcileMode.Database), null, TestContext.Current.CancellationToken);
    }
}
