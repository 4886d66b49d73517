using KeycloakCreditBridge.Configuration;

namespace KeycloakCreditBridge.Hints;

internal static class HintsModule
{
    public static void AddHints(this IHostApplicationBuilder builder)
    {
        builder.AddSection<HintOptions, HintOptionsValidator>(HintOptions.Section);
        builder.Services.AddSingleton<HintStore>();
        builder.Services.AddSingleton<HintSignal>();
        builder.Services.AddSingleton<HintHandover>();
        builder.Services.AddSingleton<HintWriter>();
        builder.Services.AddSingleton<HintListStore>();
        builder.Services.AddHostedService<HintListener>();
        builder.Services.AddHostedService<HintBacklogGauge>();
    }
}
