using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization;
using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Grants.InUse;
using KeycloakCreditBridge.Hosting.Schedule;
using KeycloakCreditBridge.Provisioning.Policy;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Migrations;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Cli.Migrate;

/// <summary>Brings the database's schema up to date. Needs nothing but the database.</summary>
internal static class MigrateCommand
{
    private static readonly Option<bool> Json = ResultSyntax.Json("run");

    private static readonly Option<string?> GrantTo = new("--grant-to")
    {
        Description = "Afterwards give this role all that the service needs, and no more. Run it as the owner of the tables.",
        HelpName = "ROLE",
    };

    private static readonly Option<bool> BeforeLots = new("--before-lots")
    {
        Description = "Afterwards let a program work on the database that does not know credits with an end.",
    };

    public static Command Command(CommandHost host)
    {
        var command = new Command("migrate", "Bring the database's schema up to date and end. Needs PostgreSQL only.")
        {
            GrantTo, BeforeLots, Json,
        };
        command.SetAction((parsed, _) => RunAsync(
            host, host.Settings(parsed), parsed.GetValue(GrantTo), parsed.GetValue(BeforeLots), parsed.GetValue(Json)));
        return command;
    }

    private static async Task<int> RunAsync(CommandHost host, string[] settings, string? grantTo, bool beforeLots, bool json)
    {
        await using var app = host.BuildCommand(settings);
        // What the service needs follows from the account ids too.
        ConfigurationCheck.Run(
            app.Services, grantTo is null ? [StorageOptions.Section] : [StorageOptions.Section, ProvisioningOptions.Section]);

        using var stop = new StopSignal(() => { });
        var applied = await app.Services.GetRequiredService<Migrator>().MigrateAsync(stop.Token);
        await app.Services.GetRequiredService<SchedulerBuilder>().ProvisionAsync(stop.Token);
        await Console.Out.WriteLineAsync(
            json ? JsonSerializer.Serialize(new MigrateResult(applied), MigrateJson.Default.MigrateResult)
            : applied == 0 ? "The schema is current; nothing was applied."
            : $"Applied {applied} migrations; the schema is current.");
        if (grantTo is not null)
        {
            await app.Services.GetRequiredService<PrivilegeStore>().GrantAsync(
                grantTo, new GrantPolicy(app.Services.GetRequiredService<IOptions<ProvisioningOptions>>()).Renames, stop.Token);
            if (!json)
                await Console.Out.WriteLineAsync($"Role {Printable.Of(grantTo)} has what the service needs.");
        }

        if (!beforeLots)
            return ExitCode.Done;
        if (await app.Services.GetRequiredService<LotsInUse>().ReleaseAsync(stop.Token) is { } obstacle)
        {
            await Console.Error.WriteLineAsync(obstacle);
            return ExitCode.SomeFailed;
        }

        if (!json)
            await Console.Out.WriteLineAsync("A program that does not know credits with an end may use the database.");
        return ExitCode.Done;
    }
}

/// <summary>The line of `migrate --json`.</summary>
/// <param name="Applied">How many migrations.</param>
internal sealed record MigrateResult(int Applied);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(MigrateResult))]
internal sealed partial class MigrateJson : JsonSerializerContext;
