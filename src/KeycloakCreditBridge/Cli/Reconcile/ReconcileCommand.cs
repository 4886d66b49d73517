using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Keycloak;
using KeycloakCreditBridge.Reconciliation;
using KeycloakCreditBridge.Reconciliation.Runs;
using KeycloakCreditBridge.Storage;
using KeycloakCreditBridge.Storage.Migrations;
using Microsoft.Extensions.Options;

namespace KeycloakCreditBridge.Cli.Reconcile;

/// <summary>Reconciles realms one after the other and reports each.</summary>
internal static class ReconcileCommand
{
    public static async Task<int> RunAsync(CommandHost host, ReconcileArguments arguments, TextWriter output, TextWriter error)
    {
        await using var app = host.BuildCommand(arguments.Settings);
        ConfigurationCheck.Run(app.Services);
        var realms = Realms(arguments, app.Services.GetRequiredService<IOptions<KeycloakOptions>>().Value);

        using var stop = new StopSignal(() => error.WriteLine("Stopping after this page; signal again to end at once."));
        await PrepareSchemaAsync(app.Services, stop.Token);
        var report = new ReconcileReport(arguments, output, error);
        var exitCode = ExitCode.Done;
        foreach (var realm in realms)
        {
            var request = Request(arguments, realm);
            var reconciler = app.Services.GetRequiredService<Reconciler>();
            var outcome = await ReconcileDisplay.ShowAsync(
                arguments, error, progress => reconciler.RunAsync(request, progress, stop.Token));
            report.Write(outcome);
            exitCode = Math.Max(exitCode, CodeOf(outcome));
            if (outcome.Status == ReconcileStatus.Stopped)
                break;
        }

        return exitCode;
    }

    private static RunRequest Request(ReconcileArguments arguments, string realm) => new(
        realm,
        RunTriggers.Command,
        arguments.Since,
        arguments.Users.Count == 0 ? null : arguments.Users,
        arguments.DryRun,
        arguments.ReEvaluate,
        arguments.Mode,
        arguments.AllowClosing);

    private static int CodeOf(ReconcileOutcome outcome) => outcome.Status switch
    {
        ReconcileStatus.Done => outcome.Counts.Failed == 0 && !outcome.NeedsOperator ? ExitCode.Done : ExitCode.SomeFailed,
        ReconcileStatus.Stopped => ExitCode.Stopped,
        ReconcileStatus.Failed when outcome.Error is { } error => ExitCode.Of(error),
        _ => ExitCode.SomeFailed,
    };

    private static List<string> Realms(ReconcileArguments arguments, KeycloakOptions keycloak)
    {
        List<string> configured = [.. keycloak.Realms.Select(realm => realm.Name)];
        var unknown = arguments.Realms.Except(configured, StringComparer.Ordinal).ToList();
        var known = $"Keycloak:Realms has {string.Join(", ", configured)}";
        if (unknown.Count > 0)
            throw new ConfigurationException([.. unknown.Select(realm => $"--realm {realm} is not configured: {known}.")]);
        List<string> realms = arguments.Realms.Count > 0 ? [.. arguments.Realms.Distinct(StringComparer.Ordinal)] : configured;
        if (arguments.Users.Count > 0 && realms.Count > 1)
            throw new ConfigurationException([$"--user needs --realm: {known}."]);
        return realms;
    }

    private static async Task PrepareSchemaAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var migrator = services.GetRequiredService<Migrator>();
        if (services.GetRequiredService<IOptions<StorageOptions>>().Value.MigrateOnStart)
            await migrator.MigrateAsync(cancellationToken);
        else if (!await migrator.IsCurrentAsync(cancellationToken))
            throw new MigrationException("The schema is not migrated: run `KeycloakCreditBridge migrate` first.");
        if (await services.GetRequiredService<AdoptionMarkStore>().IsDueAsync(cancellationToken))
            throw new MigrationException($"No account can be created yet: {AdoptionMarkStore.Remedy}.");
    }
}
