using System.Diagnostics;
using KeycloakCreditBridge.Hints;
using KeycloakCreditBridge.Sandbox.Processes;
using KeycloakCreditBridge.Tests.Running;
using KeycloakCreditBridge.Tests.Sandbox.Keycloak;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Contract;

[StartsPrograms]
public sealed class CommandTests(KeycloakFixture servers, PostgresFixture postgres)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, EveryKeycloak]
    public async Task A_dry_run_counts_and_a_backfill_opens_the_named_user(KeycloakKind kind)
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, kind, EventDelivery.Nothing);
        var (ana, ben) = (await fixture.CreateUserAsync("ana"), await fixture.RegisterAsync("ben"));

        var (code, output) = await RunAsync(fixture.Settings, "reconcile", "--dry-run");
        Assert.Equal(0, code);
        Assert.Contains("2 seen, 2 missing, 0 provisioned", output, StringComparison.Ordinal);
        Assert.Equal(0, await fixture.Database.ScalarAsync<int>("select count(*)::int from user_credits"));

        (code, output) = await RunAsync(fixture.Settings, "backfill", "--user", "ana@example.com");
        Assert.Equal(0, code);
        Assert.Contains("1 provisioned", output, StringComparison.Ordinal);
        await fixture.Database.AssertOpenedAsync(ana, HintSources.Backfill);
        Assert.False(await fixture.Database.HasAccountAsync(ben));
    }

    [Fact]
    public async Task A_Keycloak_that_cannot_be_reached_is_exit_code_3()
    {
        await using var fixture = await ContractFixture.CreateAsync(servers, postgres, KeycloakKind.Emulator, EventDelivery.Nothing);
        var settings = fixture.Settings;
        settings["Keycloak:Url"] = $"http://127.0.0.1:{FreePort.Next()}/";
        var (code, output) = await RunAsync(settings, "reconcile");
        Assert.Equal(3, code);
        Assert.Contains("Keycloak cannot be reached", output, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output)> RunAsync(IReadOnlyDictionary<string, string> settings, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "KeycloakCreditBridge.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in settings)
            start.Environment[key.Replace(":", "__", StringComparison.Ordinal)] = value;
        using var process = Process.Start(start)!;
        await using var kill = Token.Register(() => process.Kill(entireProcessTree: true));
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Token), process.StandardError.ReadToEndAsync(Token));
        await process.WaitForExitAsync(Token);
        return (process.ExitCode, await output + await error);
    }
}
