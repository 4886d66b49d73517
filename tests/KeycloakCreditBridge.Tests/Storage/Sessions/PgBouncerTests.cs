using KeycloakCreditBridge.Sandbox.Emulator.Users;
using KeycloakCreditBridge.Tests.Cli;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Emulator;

namespace KeycloakCreditBridge.Tests.Storage.Sessions;

[StartsPrograms]
public sealed class PgBouncerTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData("")]
    [InlineData("app")]
    public async Task Behind_session_pooling_the_bridge_works_without_a_setting_of_PgBouncer(string schema)
    {
        await using var database = await postgres.CreateEmptyDatabaseAsync();
        if (schema.Length > 0)
            await database.ExecuteAsync($"create schema {schema}");
        await using var bouncer = await PgBouncer.StartAsync(database, "session");
        await using var keycloak = await EmulatorFixture.StartAsync();
        keycloak.Server.Realm(EmulatorFixture.Realm).AddUser(new EmulatedUser("ana", "ana"));
        var path = schema.Length > 0 ? $";Search Path={schema}" : "";
        var settings = BridgeFixture.Settings($"{bouncer.ConnectionString};Maximum Pool Size=15{path}", keycloak.Server.Url);

        await using var bridge = await BridgeFixture.Build(settings, ("Reconciliation:Enabled", "true")).StartAsync();

        var place = schema.Length > 0 ? $"{schema}." : "";
        await Eventually.TrueAsync(
            async () => await database.ScalarAsync<bool>($"select to_regclass('{place}user_credits') is not null")
                && await database.ScalarAsync<int>($"select count(*)::int from {place}user_credits where user_id = 'ana'") == 1,
            "the first run opens the account");
        await bridge.StopAsync();
    }

    [Fact]
    public async Task Transaction_pooling_is_refused_with_the_cure()
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var bouncer = await PgBouncer.StartAsync(database, "transaction");
        await using var keycloak = await EmulatorFixture.StartAsync();
        var settings = BridgeFixture.Settings(bouncer.ConnectionString, keycloak.Server.Url);

        var migrate = await CommandProcess.RunAsync(settings, "migrate");
        var doctor = await CommandProcess.RunAsync(settings, "doctor");
        var service = await CommandProcess.RunAsync(settings, "run");

        Assert.Equal((2, 2), (migrate.ExitCode, service.ExitCode));
        Assert.Contains("set pool_mode = session", migrate.Error, StringComparison.Ordinal);
        Assert.Contains("set pool_mode = session", service.Output + service.Error, StringComparison.Ordinal);
        Assert.Contains("set pool_mode = session", doctor.Output, StringComparison.Ordinal);
    }
}
