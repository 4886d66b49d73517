using KeycloakCreditBridge.Configuration;
using KeycloakCreditBridge.Configuration.Reload;
using KeycloakCreditBridge.Grants.Experiments.Results;
using KeycloakCreditBridge.Grants.Experiments.Running;
using KeycloakCreditBridge.Hosting;
using KeycloakCreditBridge.Telemetry;

namespace KeycloakCreditBridge.Grants.Experiments;

internal static class ExperimentsModule
{
    public static void AddExperiments(this IHostApplicationBuilder builder)
    {
        // One for all versions of the settings: what began does not change with them.
        var frozen = new FrozenExperiments();
        builder.Services.AddSingleton(frozen);
        builder.Services.AddSingleton(new SettingsPart(
            typeof(FrozenExperiments), own => own.AddSingleton(frozen), (_, own) => own.AddSingleton(frozen)));
        builder.AddRule<GrantsOptions, FrozenExperimentsValidator>();
        builder.Services.AddSingleton<ExperimentStore>();
        builder.Services.AddSingleton<ExperimentRuns>();
        builder.Services.AddSingleton<ResultStore>();
        builder.Services.AddSingleton<ExperimentReports>();
        builder.Services.AddInstruments<AssignmentMetrics>();
        builder.Services.AddHostedService<SampleRatioGauge>();
        builder.Services.AddSingleton<ISchemaCondition, FrozenCondition>();
    }
}
