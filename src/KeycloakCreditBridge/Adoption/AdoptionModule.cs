namespace KeycloakCreditBridge.Adoption;

internal static class AdoptionModule
{
    public static void AddAdoption(this IHostApplicationBuilder builder) => builder.Services.AddSingleton<Adopter>();
}
